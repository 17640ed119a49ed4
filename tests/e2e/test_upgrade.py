"""A gateway of an earlier day, as it was, is killed at work; this one starts on what it left and goes on.

The earlier ones are commits of this repository, run from a checkout of their own with the libraries of today. Where the
history is not there (an archive, a shallow clone) the test is skipped and says so.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from hashlib import sha256
from pathlib import Path

import orjson
import pytest

from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import PACKAGE_PREFIX, population, serials
from gateway.clock import rfc3339
from tests.e2e.site import BASE, config, events_of, movements
from tests.support.claims import some
from tests.support.subscriber import Subscriber

ROOT = Path(__file__).resolve().parents[2]
STANDING = 20
GONE = "door-2"
"""A zone of the earlier configuration that today's does not have any more."""

EARLIER = {
    "bf43d885f16f": "the day before the rooms were made",
    "7d26871e05a5": "before directions and photo-eyes had the words of today",
}


def checked_out(commit: str, directory: Path) -> str:
    """The tree of a commit in `directory`; returns the program that runs its gateway."""
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit, "gateway", "drivers"], capture_output=True)
    if archive.returncode:
        pytest.skip(f"the history has no {commit}: clone the repository whole (git fetch --unshallow)")
    directory.mkdir()
    subprocess.run(["tar", "-x", "-C", str(directory)], input=archive.stdout, check=True)
    return (
        f"import runpy, sys; sys.path.insert(0, {str(directory)!r}); runpy.run_module('gateway', run_name='__main__')"
    )


@pytest.mark.parametrize("commit", EARLIER)
async def test_an_upgrade_in_the_middle_of_work_loses_repeats_and_leaves_nothing(commit, make_daemon, broker, tmp_path):
    earlier = checked_out(commit, tmp_path / "earlier")
    async with (
        LlrpEmulator(serials(rate=100), name="door", hold_buffer=100_000, keep_reads=True) as door,
        LlrpEmulator(population(STANDING, rate=200), name="vault", hold_buffer=100_000) as vault,
    ):
        site = config(tmp_path / "gateway", broker.port, {"door": door, "vault": vault})
        site["ledger"] = {"checkpoint_every": 1.0}
        before = {**site, "zones": [*site["zones"], {"id": GONE}]}
        before["readers"] = [
            {**reader, "antennas": [*reader["antennas"], {"port": 2, "zone": GONE}]}
            if reader["id"] == "door"
            else reader
            for reader in site["readers"]
        ]
        daemon = make_daemon(tmp_path / "gateway", before)
        daemon.program = ["-c", earlier]
        with (
            Subscriber(broker.port, BASE + "events/#") as subscriber,
            Subscriber(broker.port, BASE + "state/#", client_id="states") as states,
        ):
            await daemon.start()
            await states.until(lambda s: any(m.topic.endswith(GONE) and m.payload for m in s.messages), 60)
            await subscriber.until(lambda s: len(s.messages) > 300, 60)
            await daemon.kill()
            upto = len(subscriber.messages)

            daemon.program = ["-m", "gateway"]
            daemon.configure(site)
            await daemon.start()
            await door.until(lambda: door.connected and vault.connected, 60)
            await subscriber.until(lambda s: len(s.messages) > upto + 300, 60)
            door.switch_off()
            last = max(door.reads, key=lambda seen: seen.time).epc.hex().upper().encode()
            await subscriber.until(lambda s: any(last in message.payload for message in s.messages), 120)
            assert await daemon.stop() == 0, daemon.log[-4000:]
            newest = {message.topic: message.payload for message in states.messages}
        events = events_of(subscriber)

    # Nothing is repeated, and nothing is left out: one chain from the first event of the earlier release to the last.
    assert len({event["epoch"] for event in events}) == 1, daemon.log[-4000:]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    payloads = {
        event["sequence"]: message for message in subscriber.messages if (event := orjson.loads(message.payload))
    }
    for event in some(events[1:]):
        assert event["prevhash"] == sha256(payloads[event["sequence"] - 1].payload).hexdigest()
    # A tag that stood there all the while arrived once, whichever release saw it.
    arrivals = Counter(movements(events, PACKAGE_PREFIX))
    assert arrivals == Counter({("arrived", epc.hex().upper()): 1 for epc in vault.reader.counters.tags})
    # What was read and is not said is inside a loss that is.
    said = {uid for movement, uid in movements(events)}
    lost = [
        (event["data"]["start"], event["data"]["end"]) for event in events if event["type"] == "rfid.loss.v1"
        and event["data"]["reader"] == "door"
    ]  # fmt: skip
    missing = {seen.epc.hex().upper(): rfc3339(seen.time) for seen in door.reads if seen.epc.hex().upper() not in said}
    assert not [uid for uid, t in missing.items() if not any(start <= t <= end for start, end in lost)]
    # Nothing is retained that is gone.
    assert newest[f"{BASE}state/zone/{GONE}"] == b""
    assert newest[f"{BASE}state/zone/vault-1"] != b""
