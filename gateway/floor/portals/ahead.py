"""Stories that were weighed before their tag had left: of a whole load that falls silent at once, most are known by
then. They hold as long as nothing more is read of the tag."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any

from gateway.floor.portals.features import Features
from gateway.floor.portals.track import Track
from gateway.floor.portals.walk_model import NOTHING, Likelihood


@dataclass(slots=True, frozen=True)
class Weighed:
    """What the reads of one tag say: how well the model of the way explains them (`walk`), what the learned layer makes
    of that and of their `shape` (`story`). The shape is None where there is none, or where it is made again if asked
    for. `lift` are the decibels that the weaker side was given (balance.py)."""

    walk: Likelihood = NOTHING
    story: Likelihood = NOTHING
    shape: Features | None = None
    lift: int = 0


class Ahead:
    """EPC to what was weighed of it, each with the number of sightings and of phases then and since when they were
    kept. No more than the tags of the portal: whoever closes a track forgets its entry."""

    def __init__(self) -> None:
        self._weighed: dict[bytes, tuple[tuple[int, int, int], Weighed]] = {}

    def find(self, track: Track) -> Weighed | None:
        """What was weighed of a tag, if nothing was read of it since."""
        of, weighed = self._weighed.get(track.epc, (None, None))
        return weighed if of == _state(track) else None

    def keep(self, track: Track, weighed: Weighed) -> None:
        """Keeps what all that was read of a tag by now says."""
        self._weighed[track.epc] = _state(track), weighed

    def forget(self, epc: bytes) -> None:
        """The tag is in the portal no longer."""
        self._weighed.pop(epc, None)

    def redate(self, by: int) -> None:
        """Everything was read `by` microseconds later than was thought: a whole number of windows."""
        moved = {epc: ((of[0] + by, *of[1:]), weighed) for epc, (of, weighed) in self._weighed.items()}
        self._weighed = moved

    def dump(self) -> list[Any]:
        """The state for a checkpoint, ready for JSON."""
        return [
            [epc.hex(), *of, *astuple(weighed.walk), *astuple(weighed.story), weighed.lift]
            for epc, (of, weighed) in self._weighed.items()
        ]

    def load(self, dump: Any) -> None:
        """Takes over what `dump` gave."""
        for epc, since, sightings, pairs, *shares, lift in dump:
            weighed = Weighed(Likelihood(*shares[:4]), Likelihood(*shares[4:]), lift=lift)
            self._weighed[bytes.fromhex(epc)] = (since, sightings, pairs), weighed


def _state(track: Track) -> tuple[int, int, int]:
    return track.since, len(track.sightings), len(track.pairs)
