"""The history of a gateway that runs: asked over MQTT and from the command line, killed, and made again."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson

from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import population
from tests.e2e.site import BASE, config, events_of, movements
from tests.support.history_events import rows
from tests.support.subscriber import Subscriber

CONFIG = Path(__file__).resolve().parents[2] / "config"

TAGS = 12


async def asked(config_file: Path, *question: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a subcommand."""
    name, *rest = question
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", name, "--config", str(config_file), *rest),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    return process.returncode or 0, output.decode(), errors.decode()


async def over_mqtt(subscriber: Subscriber, name: str, **args: Any) -> Any:
    """The answer to a command; asked again until the history has come to the event that is waited for."""
    subscriber.publish(BASE + f"cmd/{name}", args, ResponseTopic="answers/here", CorrelationData=name.encode())
    before = len(subscriber.on("answers/here"))
    await subscriber.until(lambda it: len(it.on("answers/here")) > before)
    return subscriber.last("answers/here")


async def test_a_running_gateway_answers_and_its_history_can_be_made_again(make_daemon, broker, tmp_path):
    async with LlrpEmulator(population(TAGS, rate=100), name="vault") as vault:
        daemon = make_daemon(
            tmp_path / "gateway",
            config(tmp_path / "gateway", broker.port, {"vault": vault}, watch=[{"name": "destroyed"}]),
        )
        with Subscriber(broker.port, BASE + "events/#", "answers/#") as subscriber:
            await daemon.start()
            await subscriber.until(lambda it: len(movements(events_of(it))) >= TAGS, 60)
            newest = events_of(subscriber)[-1]
            uid = next(event for event in events_of(subscriber) if "uid" in event["data"])["data"]["uid"]

            answer = await over_mqtt(subscriber, "where", what=uid)
            while answer["result"]["holds"]["sequence"] < newest["sequence"]:
                answer = await over_mqtt(subscriber, "where", what=uid)
            assert answer["status"] == "ok"
            assert answer["result"]["holds"]["epoch"] == newest["epoch"]
            [package] = answer["result"]["packages"]
            assert (package["here"]["zone"], package["here"]["state"]) == ("vault-1", "present")

            code, output, _ = await asked(daemon.config_file, "zone", "vault-1", "--json")
            assert code == 0
            assert orjson.loads(output)["present"] == TAGS
            code, output, _ = await asked(daemon.config_file, "trail", uid[-6:])
            assert code == 0
            assert "arrived in vault-1" in output
            assert (await asked(daemon.config_file, "where", "FFFFFFFF"))[0] == 1
            refused = await over_mqtt(subscriber, "zone", zone="vault-1", at="noon")
            assert refused["status"] != "ok"

            await an_alarm_lives(subscriber, uid)

            chance = random.Random(7)
            for _ in range(2):  # what a kill leaves is gone on with
                await daemon.kill()
                await daemon.start()
                await asyncio.sleep(chance.uniform(0, 0.5))  # the moment of the kill is what is tried
            assert await daemon.stop() == 0, daemon.log[-3000:]

        history = tmp_path / "gateway" / "ledger-history.db"
        killed = await caught_up(daemon, history)
        for path in (tmp_path / "gateway").glob("ledger-history.db*"):
            path.unlink()
        again = await caught_up(daemon, history)
        # Starts and ends of the gateway add events of their own: what both hold is the same.
        held = len(killed["stay"])
        assert held >= TAGS
        assert {table: found[: len(killed[table])] for table, found in again.items() if table != "epoch"} == {
            table: found for table, found in killed.items() if table != "epoch"
        }


async def an_alarm_lives(subscriber: Subscriber, uid: str) -> None:
    """Raised, kept in the retained topic, acknowledged by name, cleared."""
    subject = f"destroyed/{uid}"
    subscriber.publish(BASE + "cmd/watch", {"list": "destroyed", "uids": [uid]}, ResponseTopic="answers/here")
    with Subscriber(subscriber.port, BASE + "state/alarms", client_id="wall") as wall:
        alarms = await wall.until(lambda it: (state := it.last(BASE + "state/alarms")) and state["alarms"])
        assert [(alarm["kind"], alarm["subject"], alarm["state"]) for alarm in alarms] == [
            ("watch-list", subject, "raised")
        ]
        schema = orjson.loads((CONFIG / "states" / "alarms.schema.json").read_bytes())
        assert alarms[0].keys() == schema["$defs"]["Alarm"]["properties"].keys()
        nothing = await over_mqtt(subscriber, "alarm.acknowledge", alarm="watch-list", subject="other", by="Dana")
        assert nothing["status"] == "refused"
        noted = await over_mqtt(
            subscriber, "alarm.acknowledge", alarm="watch-list", subject=subject, by="Dana", note="on my way"
        )
        assert noted["status"] == "ok"
        await wall.until(lambda it: it.last(BASE + "state/alarms")["alarms"][0]["acknowledged_by"] == "Dana")
        await over_mqtt(subscriber, "watch", list="destroyed", mode="remove", uids=[uid])
        await wall.until(lambda it: it.last(BASE + "state/alarms")["open"] == 0)
    answer = await over_mqtt(subscriber, "alarms", open=False)
    assert [alarm["state"] for alarm in answer["result"]["alarms"]] == ["cleared"]


async def caught_up(daemon: Any, history: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Runs the gateway without its reader and stops it in order; the rows of its history, which holds everything."""
    settings = orjson.loads(daemon.config_file.read_bytes())
    for reader in settings["readers"]:
        reader["port"] = 9  # nobody is there, so that nothing is added
    daemon.config_file.write_bytes(orjson.dumps(settings))
    await daemon.start()
    assert await daemon.stop() == 0, daemon.log[-3000:]
    with closing(sqlite3.connect(daemon.directory / "ledger.db")) as ledger:
        newest = ledger.execute("SELECT max(sequence) FROM event").fetchone()[0]
    found = rows(history)
    assert found["epoch"][0][2] == newest
    return found
