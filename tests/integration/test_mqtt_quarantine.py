"""The quarantine of a real ledger: listed and released by command and from the command line."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway import cli
from gateway.errors import Refused
from gateway.events.envelope import ALARM, Fact
from gateway.service.delivery import DeliveryCommands
from tests.conftest import MakeBroker
from tests.support.delivery import Delivery
from tests.support.ledgers import START, TestLedger, fact
from tests.support.mqtt_service import BASE, config, service
from tests.support.subscriber import Subscriber, until

pytestmark = pytest.mark.usefixtures("impatient_link")


async def test_events_in_quarantine_are_listed_and_released_from_the_command_line(
    make_broker: MakeBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("gateway.mqtt.second_tries.FIRST_PAUSE", 600.0)  # not by itself
    acl = tmp_path / "acl"
    acl.write_text(f"topic readwrite {BASE}#\ntopic deny {BASE}events/alarm/#\n")
    broker = make_broker("allow_anonymous true", f"acl_file {acl}")
    file = tmp_path / "gateway.yaml"
    settings = config(broker.port).model_dump(mode="json", exclude_unset=True)
    settings["readers"][0]["host"] = "127.0.0.1"
    file.write_bytes(orjson.dumps(settings))
    ledger = TestLedger(tmp_path / "ledger.db")
    ledger.start()
    ledger.recognised()
    delivery = Delivery(ledger)

    async def run(*arguments: str) -> tuple[int, str]:
        code = await asyncio.to_thread(cli.main, ["quarantine", *arguments, "--config", str(file)])
        out, err = capsys.readouterr()
        return code, out + err

    with Subscriber(broker.port, BASE + "events/alarm/#") as alarms:
        async with service(broker.port, ledger, handler=delivery.handle) as mqtt:
            delivery.sender = mqtt
            ledger.append([fact(1), Fact(ALARM, "dock", START, {"why": "test"}), fact(3)], 0)
            await ledger.flush()
            mqtt.wake()
            assert await mqtt.drain(60)
            code, said = await run("list")
            assert code == 0, said
            assert "Not authorized (0x87); sent again by itself" in said
            assert "1 event in quarantine" in said
            acl.write_text(f"topic readwrite {BASE}#\n")
            broker.reload()
            assert (await run("release", "--sequence", "2"))[0] == 0
            await alarms.until(lambda it: it.messages)
            await until(lambda: ledger.stats().quarantined == 0)
            assert (await run("release", "--all"))[0] == 1, "nothing is left"
            with pytest.raises(Refused, match="none of these"):
                await delivery.handle("quarantine.release", {"all": True, "by": "ana"})  # as a page asks
    await ledger.close()


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("quarantine.release", {}, "say which events"),
        ("quarantine.release", {"all": True, "topic": "events/loss"}, "say which events"),
        ("quarantine.release", {"sequences": [1]}, "none of these is in quarantine"),
        ("quarantine.release", {"sequences": ["1"]}, "must be "),
        ("quarantine.list", {"limit": 1000}, "must be "),
        ("resend", {"epoch": "another", "from": 1, "to": 2}, "is not the present one"),
        ("resend", {"epoch": "", "from": 0, "to": 2}, "must be "),
    ],
)
async def test_what_cannot_be_is_refused(tmp_path: Path, name: str, arguments: dict[str, Any], reason: str) -> None:
    ledger = TestLedger(tmp_path / "ledger.db")
    ledger.start()
    ledger.recognised()
    try:
        with pytest.raises(Refused, match=reason):
            await DeliveryCommands(ledger, lambda: pytest.fail("nothing is to be sent")).handlers[name](arguments)
    finally:
        await ledger.close()
