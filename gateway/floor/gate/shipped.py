"""Which packages have left, so that none leaves twice."""

from __future__ import annotations

from typing import Any

from gateway.clock import micros, rfc3339
from gateway.floor.bounded import Bounded
from gateway.floor.gate.manifest import DeliveryKey

MAX_SHIPPED = 20_000
"""UIDs remembered: forty vans of 500. The state system knows the older ones as finished or gone."""


class Shipped:
    """The newest MAX_SHIPPED packages that left, for `remember` seconds. `revision` grows with every change."""

    def __init__(self, remember: float) -> None:
        self._remember = micros(remember)
        self._left: Bounded[str, tuple[str, str, int]] = Bounded(MAX_SHIPPED)  # UID to manifest, delivery, time
        self.revision = 0

    def add(self, uid: str, key: DeliveryKey, t: int) -> None:
        """The package left at `t` with a delivery."""
        self._left.renew(uid, (*key, t))
        self.revision += 1

    def forget(self, uid: str) -> None:
        """The package came back."""
        if self._left.pop(uid, None) is not None:
            self.revision += 1

    def key(self, uid: str, t: int) -> DeliveryKey | None:
        """The delivery with which a package left, as far as that is remembered at `t`."""
        left = self._left.get(uid)
        return None if left is None or t - left[2] > self._remember else (left[0], left[1])

    def words(self, uid: str) -> str:
        """How a package left, for people."""
        manifest, delivery, t = self._left[uid]
        under = f"with delivery {delivery} of manifest {manifest}" if manifest else "without a manifest"
        return f"left {under} at {rfc3339(t)}"

    def redate(self, by: int) -> None:
        """All that has left did so `by` microseconds later than was thought."""
        for uid, (manifest, delivery, t) in self._left.items():
            self._left[uid] = (manifest, delivery, t + by)
        self.revision += 1

    def dump(self) -> list[Any]:
        """Runs of UIDs that left together: manifest, delivery, time, UIDs."""
        runs: list[Any] = []
        for uid, left in self._left.items():
            if not runs or tuple(runs[-1][:3]) != left:
                runs.append([*left, []])
            runs[-1][3].append(uid)
        return runs

    def load(self, dump: list[Any]) -> None:
        """Takes over what `dump` gave."""
        for manifest, delivery, t, uids in dump:
            for uid in uids:
                self._left.renew(uid, (manifest, delivery, t))
