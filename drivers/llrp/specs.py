"""The ROSpecs and AccessSpecs of a reader: what it has, and the commands that bring it to what we want.

What others have left there goes, where we are `exclusive`; ours is put in place and started. A reader that refuses our
ROSpec is offered plainer ones, and the plainest is only an error when that is refused too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from drivers.api import DriverError, Log
from drivers.llrp.commands import Refusal
from drivers.llrp.memory import Memory
from drivers.llrp.protocol.element import E, Element
from drivers.llrp.rospec import Plainer, is_ours
from drivers.llrp.settings import LlrpSettings

ALL = 0
_DISABLED, _INACTIVE, _ACTIVE = 0, 1, 2
_STARTING = ("ENABLE_ROSPEC", "START_ROSPEC", "GET_ROSPECS")


class Specs:
    """The ROSpecs and AccessSpecs of a reader, on one connection. `build` makes our ROSpec, as plain as told. The
    attributes are valid once the ROSpecs of the reader are known."""

    def __init__(
        self, settings: LlrpSettings, memory: Memory, peer: str, log: Log, build: Callable[[Plainer], Element]
    ) -> None:
        self._settings = settings
        self._memory = memory
        self._peer = peer
        self._log = log
        self._build = build
        self._plan: deque[Element] = deque()
        self._is_second = False  # our ROSpec was put in the place of one of its number
        self._clears_access = False
        self._disabled: set[int] = set()  # ROSpecs of others that were disabled, to be removed then
        self._clears_all = True  # all ROSpecs may be removed at once: none is ours
        self._last_refusal = ""
        self.rospec = Element("ROSpec")
        self.was_in_place = False  # our ROSpec was there and enabled
        self.is_active = False  # and reading
        self.foreign: list[int] = []  # ROSpecs of others that stay in the reader
        self.foreign_access: list[int] = []  # AccessSpecs of others that stay in the reader

    @property
    def number(self) -> int | None:
        """The number of our ROSpec once it is known."""
        number: int | None = self.rospec.fields.get("ROSpecID")
        return number

    def runs(self, answer: Element) -> bool:
        """Whether our ROSpec is active, by the reader's list of its ROSpecs."""
        return any(spec["ROSpecID"] == self.number and spec["CurrentState"] == _ACTIVE for spec in answer.all("ROSpec"))

    def prepare(self) -> None:
        """Builds our ROSpec, as plain as this reader is known to want it."""
        self.rospec = self._build(self._memory.plainer)

    def next(self) -> Element | None:
        """The command that is to be sent now."""
        return self._plan[0] if self._plan else None

    # What the reader has

    def took_access_specs(self, answer: Element) -> None:
        """We make none: whatever is there acts on tags under our ROSpec, for somebody else."""
        found = [spec["AccessSpecID"] for spec in answer.all("AccessSpec")]
        if found:
            self._log.warning(
                "AccessSpecs of another program are in the reader", specs=found, removing=self._settings.exclusive
            )
        self._clears_access = self._settings.exclusive
        self.foreign_access = found

    def no_access_specs(self, refusal: Refusal) -> None:
        """The reader does not tell its AccessSpecs."""
        self._log.warning("the reader does not tell its AccessSpecs", reason=str(refusal))
        self._clears_access = self._settings.exclusive

    def took_rospecs(self, answer: Element) -> None:
        """Takes the reader's ROSpecs: what is not ours is to go, and ours is to be as we want it."""
        states = {rospec["ROSpecID"]: rospec["CurrentState"] for rospec in answer.all("ROSpec")}
        ours = self.rospec["ROSpecID"]
        if not is_ours(ours):
            states.pop(ours, None)  # by its number alone it may be anybody's
            self._plan.append(E("DELETE_ROSPEC", ROSpecID=ours))
        for number in states.keys() - {ours}:
            if is_ours(number) or self._settings.exclusive:
                self._log.info("removing a ROSpec", rospec=number, ours=is_ours(number))
                self._plan.append(E("DELETE_ROSPEC", ROSpecID=number))
            if not is_ours(number):
                self.foreign.append(number)
        if ours not in states:
            self._plan.append(E("ADD_ROSPEC", self.rospec))
        state = states.get(ours, _DISABLED)
        self._clears_all = self._settings.exclusive and ours not in states
        self.is_active = state == _ACTIVE
        self.was_in_place = self.is_active or (state != _DISABLED and self._settings.start is not None)
        # A reader that lists no AccessSpec may still have one; where nothing is kept over the connection, make sure.
        if self._clears_access and (self.foreign_access or not self.was_in_place):
            self._plan.appendleft(E("DELETE_ACCESSSPEC", AccessSpecID=ALL))
        if not self.was_in_place:
            self._plan_start(is_enabled=state != _DISABLED)

    def no_rospecs(self, refusal: Refusal) -> None:
        """The reader does not tell its ROSpecs: ours is put in anew."""
        self._log.warning("the reader does not tell its ROSpecs; putting ours in anew", reason=str(refusal))
        ours = self.rospec["ROSpecID"]
        if self._clears_access:
            self._plan.append(E("DELETE_ACCESSSPEC", AccessSpecID=ALL))
        self._plan.append(E("DELETE_ROSPEC", ROSpecID=ALL if self._settings.exclusive else ours))
        self._plan.append(E("ADD_ROSPEC", self.rospec))
        self._plan_start(is_enabled=False)

    def _plan_start(self, *, is_enabled: bool) -> None:
        ours = self.rospec["ROSpecID"]
        if not is_enabled:
            self._plan.append(E("ENABLE_ROSPEC", ROSpecID=ours))
        if self._memory.starts_itself:
            self._plan.append(E("GET_ROSPECS"))  # whether it did
        elif self._settings.start is None:
            self._plan.append(E("START_ROSPEC", ROSpecID=ours))

    # What it does with it

    def took(self, answer: Element) -> None:
        """The reader did what it was told last."""
        command = self._plan.popleft()
        match command.name:
            case "DELETE_ACCESSSPEC":
                self.foreign_access = _without(self.foreign_access, command["AccessSpecID"])
            case "DELETE_ROSPEC":
                self.foreign = _without(self.foreign, command["ROSpecID"])
            case "GET_ROSPECS":
                self._check_start(answer)

    def no(self, refusal: Refusal) -> None:
        """The reader refused it, which is a warning, or ends the set-up."""
        command = self._plan.popleft()
        match command.name:
            case "DELETE_ROSPEC":
                self._not_removed(command["ROSpecID"], refusal)
            case "DELETE_ACCESSSPEC" if command["AccessSpecID"] == ALL:
                for spec in reversed(self.foreign_access):  # one by one; there need not be any
                    self._plan.appendleft(E("DELETE_ACCESSSPEC", AccessSpecID=spec))
                    self._plan.appendleft(E("DISABLE_ACCESSSPEC", AccessSpecID=spec))
            case "DELETE_ACCESSSPEC":
                self._log.warning("an AccessSpec was not removed", spec=command["AccessSpecID"], reason=str(refusal))
            case "DISABLE_ROSPEC" | "DISABLE_ACCESSSPEC":
                pass  # what counts is whether it can be removed
            case "ADD_ROSPEC":
                self._add_again(refusal)
            case "ENABLE_ROSPEC" | "START_ROSPEC" if not self._plan or self._plan[-1].name != "GET_ROSPECS":
                # It may be so already, or start by itself: what counts is whether it reads.
                self._log.warning("the reader refused a command", command=command.name, reason=str(refusal))
                self._last_refusal = f"{command.name}: {refusal}"
                self._plan.append(E("GET_ROSPECS"))
            case "ENABLE_ROSPEC" | "START_ROSPEC":
                self._last_refusal = f"{command.name}: {refusal}"
            case _:
                raise DriverError(f"{self._peer}: the reader refused {command.name}: {refusal}")

    def _not_removed(self, number: int, refusal: Refusal) -> None:
        """Some readers remove no ROSpec that is enabled, some only all at once."""
        if number == self.number:
            return  # there need not be one
        if number != ALL and number not in self._disabled:
            self._disabled.add(number)
            self._plan.extendleft([E("DELETE_ROSPEC", ROSpecID=number), E("DISABLE_ROSPEC", ROSpecID=number)])
        elif number != ALL and self._clears_all:
            self._clears_all = False
            self._plan.appendleft(E("DELETE_ROSPEC", ROSpecID=ALL))
        else:
            self._log.warning("a ROSpec was not removed", rospec=number, reason=str(refusal))

    def _add_again(self, refusal: Refusal) -> None:
        """Once in case that one of our number is in the way, then with less and less that a reader may not take."""
        if not self._is_second:
            self._is_second = True
            self._log.warning("the reader refuses our ROSpec; trying again in its place", reason=str(refusal))
        else:
            self._make_plainer(refusal)
        ours = self.rospec["ROSpecID"]
        start = [step for step in self._plan if step.name in _STARTING]
        self._plan = deque([E("DELETE_ROSPEC", ROSpecID=ours), E("ADD_ROSPEC", self.rospec)])
        self._plan.extend(E(step.name, ROSpecID=ours) if step.fields else step for step in start)

    def _make_plainer(self, refusal: Refusal) -> None:
        plainest = Plainer.NUMBER if self._settings.exclusive else Plainer.REPORT_SPEC
        while self._memory.plainer < plainest:
            self._memory.plainer = Plainer(self._memory.plainer + 1)
            rospec = self._build(self._memory.plainer)
            if rospec["ROSpecID"] != self.number:
                self._log.warning("the reader refuses our ROSpec; trying a plainer one", reason=str(refusal))
                self.rospec = rospec
                return
        self._memory.plainer = Plainer.NOTHING  # it was not the content
        raise DriverError(f"{self._peer}: the reader refused ADD_ROSPEC: {refusal}")

    def _check_start(self, answer: Element) -> None:
        ours = [spec for spec in answer.all("ROSpec") if spec["ROSpecID"] == self.number]
        wanted = _ACTIVE if self._settings.start is None else _INACTIVE
        if ours and ours[0]["CurrentState"] >= wanted:
            return
        before = self.number
        self._memory.starts_itself = self._last_refusal.startswith("START_ROSPEC") and not self._memory.starts_itself
        if not self._memory.starts_itself:
            raise DriverError(f"{self._peer}: the reader refused {self._last_refusal or 'to start our ROSpec'}")
        self._log.warning("the reader starts no ROSpec; trying one that starts by itself", reason=self._last_refusal)
        self.prepare()
        self._plan.extend([E("DELETE_ROSPEC", ROSpecID=before), E("ADD_ROSPEC", self.rospec)])
        self._plan_start(is_enabled=False)


def _without(specs: list[int], gone: int) -> list[int]:
    return [spec for spec in specs if gone not in (ALL, spec)]
