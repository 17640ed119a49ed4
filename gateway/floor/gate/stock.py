"""What the books say is on this site, by product and date of expiry: for first expired, first out."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Any

from gateway.floor.gate.commands import StockItem


class Stock:
    """UID to product, and the UIDs of each product by when they expire. `revision` grows with every change."""

    def __init__(self) -> None:
        self.revision = 0
        self._products: dict[str, str] = {}
        self._by_date: dict[str, list[tuple[int, str]]] = {}  # product to expiry and UID, earliest first

    def put(self, items: Iterable[StockItem]) -> tuple[int, int, int]:
        """Takes over the whole stock; returns how many packages have come, have gone and are another than before."""
        before = self._known()
        self._set([(item.uid, item.product, item.expires) for item in items])
        self.revision += 1
        now = self._known()
        changed = sum(1 for uid in now.keys() & before.keys() if now[uid] != before[uid])
        return len(now.keys() - before.keys()), len(before.keys() - now.keys()), changed

    @property
    def number(self) -> int:
        """How many packages there are."""
        return len(self._products)

    def _known(self) -> dict[str, tuple[str, int | None]]:
        """Product and expiry of each package."""
        return {uid: (product, expires) for uid, product, expires in self.dump()}

    def _set(self, rows: Iterable[tuple[str, str, int | None]]) -> None:
        self._products, self._by_date = {}, {}
        for uid, product, expires in rows:
            self._products[uid] = product
            if expires is not None:
                self._by_date.setdefault(_folded(product), []).append((expires, uid))
        for dates in self._by_date.values():
            dates.sort()

    def product(self, uid: str) -> str:
        """What a package is, empty where no book says."""
        return self._products.get(uid, "")

    def before(self, product: str, expires: int) -> Iterator[tuple[str, int]]:
        """The packages of a product that expire before a time, and when each does, the first to expire first."""
        dates = self._by_date.get(_folded(product), [])
        for when, uid in dates[: bisect_left(dates, (expires, ""))]:
            yield uid, when

    def dump(self) -> list[list[Any]]:
        """Everything, ready for JSON."""
        dates = {uid: when for entries in self._by_date.values() for when, uid in entries}
        return [[uid, product, dates.get(uid)] for uid, product in self._products.items()]

    def load(self, dump: Iterable[Any]) -> None:
        """Takes over what `dump` gave."""
        self._set((uid, product, expires) for uid, product, expires in dump)


def _folded(product: str) -> str:
    return " ".join(product.casefold().split())
