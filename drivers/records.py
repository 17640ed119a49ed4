"""Reads that are still a reader's bytes: records of one format, which become rows when somebody asks for them.

Decoding a read into a Python tuple costs several times what it costs to keep its bytes. A driver whose reader sends
records of one fixed size may hand over `Records` as the rows of a `Batch`: whoever wants rows gets them, the journal
and the recording take the bytes as they are, and the floor reads whole columns.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from operator import add, itemgetter
from typing import Any, ClassVar, overload
from weakref import WeakValueDictionary

from drivers.api import Row

COLUMNS = ("epc", "antenna", "rssi", "channel", "time", "count", "phase", "doppler")
"""The columns of a row, in order; the last two only where the batch says ``phase=True``."""

DEFAULTS: Row = (b"", 0, -128, 0, 0, 1, 0, 0)
"""What a row says where its record says nothing. -128 dBm is the weakest that LLRP can express."""

MAX_SIZE = 65_535
"""Bytes in a record: what the length of an LLRP parameter can say."""

Field = tuple[str, int, str]
"""Column, offset in the record, and the `struct` code of the value, big-endian."""

_KEY = re.compile(rb"(\d{1,5})((?: [a-z]+:\d{1,5}:(?:[BHbhQ]|\d{1,5}s))+)")
_NUMBERS = frozenset("BHbhQ")


class RecordFormat:
    """Where the columns of a read are in a record of `size` bytes. Formats that say the same are one object.

    `key` is the format as text, for files. `absent` are the columns that it has not; `phase` whether rows have all
    eight columns. `antenna_at` is the first byte of the antenna and how many bytes it has.
    """

    __slots__ = ("__weakref__", "_count_at", "_pick", "_struct", "_time", "absent", "antenna_at", "columns", "fields",
                 "key", "phase", "size")  # fmt: skip
    _known: ClassVar[WeakValueDictionary[bytes, RecordFormat]] = WeakValueDictionary()

    def __new__(cls, size: int, fields: Sequence[Field]) -> RecordFormat:
        """Raises ValueError where the fields are not those of a record with an EPC, or do not fit into it."""
        ordered = sorted(fields, key=itemgetter(1))
        text = " ".join([str(size), *(f"{name}:{offset}:{code}" for name, offset, code in ordered)]).encode()
        known = cls._known.get(text)
        if known is None:
            known = super().__new__(cls)
            known._build(size, ordered, text)
            cls._known[text] = known
        return known

    @classmethod
    def from_key(cls, key: bytes) -> RecordFormat:
        """The format that `key` was made by. Raises ValueError where it is none."""
        known = cls._known.get(key)
        if known is not None:
            return known
        match = _KEY.fullmatch(key)
        if match is None:
            raise ValueError(f"{key[:80]!r} is no format of records")
        parts = (part.split(":") for part in match[2].decode().split())
        return cls(int(match[1]), [(name, int(offset), code) for name, offset, code in parts])

    def _build(self, size: int, fields: list[Field], key: bytes) -> None:
        names = [name for name, _, _ in fields]
        if "epc" not in names or len(set(names)) < len(names) or not set(names) <= set(COLUMNS):
            raise ValueError(f"a record with the columns {', '.join(names)}: each once, and an EPC among them")
        form, at = ">", 0
        for name, offset, code in fields:
            if offset < at or (code in _NUMBERS) == (name == "epc"):
                raise ValueError(f"column {name} of a record cannot be {code} at byte {offset}")
            form += f"{offset - at}x{code}"
            at = offset + struct.calcsize(f">{code}")
        if not at <= size <= MAX_SIZE:
            raise ValueError(f"a record of {size} bytes has columns up to byte {at}")
        self.size, self.fields, self.key = size, tuple(fields), key
        self.phase = "phase" in names or "doppler" in names
        self.columns = COLUMNS if self.phase else COLUMNS[:6]
        self.absent = tuple(column for column in self.columns if column not in names)
        order = [*names, *self.absent]
        self._struct = struct.Struct(f"{form}{size - at}x")
        self._pick = itemgetter(*map(order.index, self.columns)) if tuple(order) != self.columns else None
        places = {name: (offset, struct.calcsize(code)) for name, offset, code in fields}
        self.antenna_at, self._count_at = places.get("antenna"), places.get("count")
        self._time = next(
            ((offset, struct.Struct(f">{code}")) for name, offset, code in fields if name == "time"), None
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return RecordFormat.from_key, (self.key,)

    def __repr__(self) -> str:
        return f"RecordFormat({self.key.decode()!r})"

    def rows(self, body: bytes, filler: Row = DEFAULTS) -> list[Row]:
        """The rows of a body of whole records; columns that they have not are those of `filler`."""
        records: Iterable[tuple[Any, ...]] = self._struct.iter_unpack(body)
        if self.absent:
            filled = dict(zip(COLUMNS, (*filler, *DEFAULTS[len(filler) :]), strict=True))
            records = map(add, records, repeat(tuple(filled[column] for column in self.absent)))
        if self._pick:
            records = map(self._pick, records)
        rows = list(records)
        if self._count_at is not None:
            at, size = self._count_at
            if 0 in body[at + size - 1 :: self.size]:
                rows = list(_at_least_once(rows))
        return rows

    def newest(self, body: bytes) -> int:
        """The time of the last record of a body, 0 where records have none."""
        if self._time is None:
            return 0
        at, form = self._time
        time: int = form.unpack_from(body, len(body) - self.size + at)[0]
        return time


def _at_least_once(rows: list[Row]) -> Iterator[Row]:
    """A reader that counts from zero still means that it saw the tag."""
    for row in rows:
        yield row if row[5] else (*row[:5], 1, *row[6:])


class Records(Sequence[Row]):
    """The rows of `body`, which is whole records of `format`. Rows are made when they are asked for, and kept."""

    __slots__ = ("_rows", "body", "format")

    def __init__(self, format: RecordFormat, body: bytes) -> None:
        self.format = format
        self.body = body
        self._rows: list[Row] | None = None

    @property
    def rows(self) -> list[Row]:
        """All rows, as tuples."""
        if self._rows is None:
            self._rows = self.format.rows(self.body)
        return self._rows

    def __len__(self) -> int:
        return len(self.body) // self.format.size

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> list[Row]: ...
    def __getitem__(self, at: int | slice) -> Row | list[Row]:
        return self.rows[at]

    @property
    def lacks_antenna(self) -> bool:
        """Whether some of the records name no antenna, or antenna 0; no rows are made for that."""
        place = self.format.antenna_at
        if place is None:
            return True
        at, size = place
        if 0 not in self.body[at + size - 1 :: self.format.size]:
            return False
        return any(not any(self.body[start : start + size]) for start in range(at, len(self.body), self.format.size))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self.rows == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Records({self.format.key.decode()!r}, {len(self)} rows)"
