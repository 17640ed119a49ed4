"""Select filters of an inventory: which tags take part (LLRP 1.0.1, section 15.2.1.2.1.1).

A filter compares bits of a memory bank with a mask and then selects or unselects the tags that match, and those that do
not. Filters that use the tags' session flags (state aware) are refused: the emulated readers cannot do them.
"""

from __future__ import annotations

from collections.abc import Sequence

from drivers.emulators.llrp.status import Status, bad_parameter
from drivers.emulators.scene import tid_of
from drivers.llrp.protocol.element import Element

MAX_FILTERS = 2
"""As the capabilities say (MaxNumSelectFiltersPerQuery)."""

_EPC_BANK, _TID_BANK = 1, 2
_EPC_START = 32
"""The EPC bank begins with a CRC and the PC bits."""

# Action: what becomes of the tags that match, and of those that do not. None: as before.
_ACTIONS: dict[int, tuple[bool | None, bool | None]] = {
    0: (True, False),
    1: (True, None),
    2: (None, False),
    3: (False, None),
    4: (False, True),
    5: (None, True),
}


class Selection:
    """The filters of one antenna. Raises Rejected for those that the reader cannot do."""

    def __init__(self, filters: Sequence[Element]) -> None:
        if len(filters) > MAX_FILTERS:
            text = f"{len(filters)} filters; this reader takes {MAX_FILTERS}"
            raise bad_parameter("C1G2Filter", text, Status.P_OVERFLOW_PARAMETER)
        self._steps = [(*_mask(each), *_action(each)) for each in filters]

    def takes(self, epc: bytes) -> bool:
        """Whether a tag takes part in the inventory."""
        selected: bool | None = None
        for bank, pointer, count, wanted, hit, miss in self._steps:
            outcome, other = (hit, miss) if _bits(epc, bank, pointer, count) == wanted else (miss, hit)
            if outcome is not None:
                selected = outcome
            elif selected is None:
                # Nothing said yet about this tag: the first filter divides the tags whatever it does with one half.
                selected = not other
        return selected is not False


def _mask(each: Element) -> tuple[int, int, int, int]:
    """Bank, pointer, number of bits, and the bits."""
    mask = each.need("C1G2TagInventoryMask")
    count, content = mask["TagMask"]
    return mask["MB"], mask["Pointer"], count, int.from_bytes(content, "big") >> (8 * len(content) - count)


def _action(each: Element) -> tuple[bool | None, bool | None]:
    if each.find("C1G2TagInventoryStateAwareFilterAction") is not None:
        text = "this reader cannot filter by the tags' inventory state"
        raise bad_parameter("C1G2TagInventoryStateAwareFilterAction", text, Status.P_UNSUPPORTED_PARAMETER)
    action = each.find("C1G2TagInventoryStateUnawareFilterAction")
    number = 0 if action is None else action["Action"]
    if number not in _ACTIONS:
        text = f"filter action {number} does not exist"
        raise bad_parameter("C1G2TagInventoryStateUnawareFilterAction", text, Status.P_FIELD_ERROR, field=0)
    return _ACTIONS[number]


def _bits(epc: bytes, bank: int, pointer: int, count: int) -> int | None:
    """`count` bits of a tag's memory from bit `pointer`; None when the tag has no such memory."""
    if bank == _EPC_BANK:
        memory, start = epc, pointer - _EPC_START
    elif bank == _TID_BANK:
        memory, start = tid_of(epc), pointer
    else:
        return None
    after = 8 * len(memory) - start - count
    if start < 0 or after < 0:
        return None
    return int.from_bytes(memory, "big") >> after & ((1 << count) - 1)
