"""The emulated LLRP reader on virtual time, and a client of it that reads its frames with the project's own codec."""

from __future__ import annotations

from drivers.emulators.llrp.identity import IDENTITIES
from drivers.emulators.llrp.reader import EmulatedReader
from drivers.emulators.scene import Scene
from drivers.llrp.protocol.codec import Message, decode, encode
from drivers.llrp.protocol.element import E, Element
from drivers.llrp.protocol.framing import Frames

START = 1_700_000_000_000_000
MS = 1_000


def rospec(
    identity=1,
    *,
    start=None,
    stop=None,
    ai_stops=None,
    antennas=(0,),
    trigger=2,
    n=1,
    priority=0,
    state=0,
    custom=(),
    report=True,
    **content,
) -> Element:
    """A ROSpec: by default it starts when enabled and reports every read with antenna, RSSI and first time."""
    enabled = {"EnableAntennaID": True, "EnablePeakRSSI": True, "EnableFirstSeenTimestamp": True} | content
    names = ("ROSpecID", "SpecIndex", "InventoryParameterSpecID", "AntennaID", "ChannelIndex", "PeakRSSI")
    names += ("FirstSeenTimestamp", "LastSeenTimestamp", "TagSeenCount", "AccessSpecID")
    selector = E("TagReportContentSelector", {f"Enable{name}": enabled.get(f"Enable{name}", False) for name in names})
    reporting = [E("ROReportSpec", selector, *custom, ROReportTrigger=trigger, N=n)] if report else []
    boundary = E(
        "ROBoundarySpec",
        start or E("ROSpecStartTrigger", ROSpecStartTriggerType=1),
        stop or E("ROSpecStopTrigger", ROSpecStopTriggerType=0, DurationTriggerValue=0),
    )
    inventories = [
        E(
            "AISpec",
            ai_stop,
            E("InventoryParameterSpec", InventoryParameterSpecID=7, ProtocolID=1),
            AntennaIDs=list(antennas),
        )
        for ai_stop in ai_stops or [E("AISpecStopTrigger", AISpecStopTriggerType=0, DurationTrigger=0)]
    ]
    return E("ROSpec", boundary, *inventories, *reporting, ROSpecID=identity, Priority=priority, CurrentState=state)


def code(response: Message | Element) -> int:
    """The status code of a response."""
    body = response.body if isinstance(response, Message) else response
    return body.need("LLRPStatus")["StatusCode"]


class VirtualClient:
    """Everything that the reader sends is in `received`; `link` says whether it takes anything."""

    def __init__(self, scene: Scene, identity="impinj-r700", **options) -> None:
        model = IDENTITIES[identity] if isinstance(identity, str) else identity
        self.reader = EmulatedReader(scene, model, start=START, **options)
        self.now = START
        self.received: list[Message] = []
        self._id = 0

    def connect(self) -> list[Message]:
        self.reader.connect(self.now)
        return self.pump()

    def pump(self) -> list[Message]:
        """Takes all that the reader has to send now; also kept in `received`."""
        new = []
        while frame := self.reader.take():
            self.reader.sent(frame)
            new.append(decode(frame.data))
        self.received += new
        return new

    def send(self, body: Element, version=1, data: bytes | None = None) -> list[Message]:
        self._id += 1
        frame = encode(Message(body.name, self._id, body, version)) if data is None else data
        for received in Frames().feed(frame):
            self.reader.handle(received, self.now)
        return self.pump()

    def ask(self, body: Element, version=1) -> Message:
        """The response to a request: the one message with its id."""
        messages = self.send(body, version)
        return next(message for message in messages if message.id == self._id and message.name != "RO_ACCESS_REPORT")

    def run(self, rospec_: Element) -> None:
        """Adds and enables a ROSpec; both succeed."""
        assert code(self.ask(E("ADD_ROSPEC", rospec_))) == 0
        assert code(self.ask(E("ENABLE_ROSPEC", ROSpecID=rospec_["ROSpecID"]))) == 0

    def configure(self, *parts: Element, reset=False) -> int:
        return code(self.ask(E("SET_READER_CONFIG", *parts, ResetToFactoryDefault=reset)))

    def hold(self) -> None:
        assert self.configure(E("EventsAndReports", HoldEventsAndReportsUponReconnect=True)) == 0

    def events_on(self, *kinds: int) -> None:
        states = (E("EventNotificationState", EventType=kind, NotificationState=True) for kind in kinds)
        assert self.configure(E("ReaderEventNotificationSpec", *states)) == 0

    def pass_time(self, milliseconds: int, step: int = 10) -> list[Message]:
        """Lets time pass in steps of 10 ms and takes what the reader sends."""
        new = []
        for _ in range(milliseconds // step):
            self.now += step * MS
            self.reader.tick(self.now)
            new += self.pump()
        return new

    def state(self, identity=1) -> int:
        specs = {spec["ROSpecID"]: spec for spec in self.ask(E("GET_ROSPECS")).body.all("ROSpec")}
        return specs[identity]["CurrentState"]


def tags(messages: list[Message]) -> list[Element]:
    """All TagReportData in the reports among `messages`."""
    return [tag for m in messages if m.name == "RO_ACCESS_REPORT" for tag in m.body.all("TagReportData")]


def epc(tag: Element) -> bytes:
    value = tag.children[0]["EPC"]
    return value if isinstance(value, bytes) else value[1]


def events(messages: list[Message], name: str | None = None) -> list[Element]:
    """The events among `messages`, without their timestamps."""
    found = [
        m.body.need("ReaderEventNotificationData").children[1]
        for m in messages
        if m.name == "READER_EVENT_NOTIFICATION"
    ]
    return [event for event in found if name is None or event.name == name]
