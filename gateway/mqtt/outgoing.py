"""Everything that is on its way to the broker: what is sent next, what an answer means, what is set apart.

Times are arguments, seconds of any one clock:
- Events leave in the order of their sequence. A refused event holds back the later ones of its topic, no others.
- A refusal for now slows the pace; a refusal until something is mended does not. Both are sent again after a pause
  that doubles. An event that is refused on and on while others are taken is set apart.
- What is not answered while later events are, was passed over: it is sent again, as a new packet, and holds back its
  topic where that is passed over too and the others are taken. Where nothing is answered at all, the last that was
  taken and the oldest are sent again in turn, alone, until something is.
- Where the broker ends the connection, the events that were awaited are sent one at a time over the next ones. One at
  which connections end alone, `DEADLY` times, is sent in parts, or set apart; a later one as large after one more.
- What the broker calls too large is sent in parts that become smaller, before the later events of its topic.
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.events.envelope import Event
from gateway.mqtt.answers import Answer, End
from gateway.mqtt.closed_topics import ClosedTopics
from gateway.mqtt.delivery import DONE, Delivery, Stage, Step
from gateway.mqtt.held import HeldTopics
from gateway.mqtt.pace import Pace
from gateway.mqtt.patience import CROWD, DEAF, LIMITS, LONGEST_PROBE, OVERTAKEN, SILENCE
from gateway.mqtt.sizes import Sizes
from gateway.mqtt.trial import Trial, Verdict
from gateway.mqtt.waiting import Waiting


class Outgoing:
    """The events between the ledger and the broker. It outlives a connection."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.sizes = Sizes()
        self.trial = Trial(self.sizes)
        self.closed_topics = ClosedTopics()
        self.held = HeldTopics()
        self.denied: set[str] = set()  # topics with events in quarantine that go before later ones
        self.settled: list[Delivery] = []  # set apart, or taken from quarantine: to be told to the ledger
        self.silences = 0  # copies that were given up unanswered so far
        self._stream: dict[int, Delivery] = {}  # in the order of sequence, from the mark on
        self._errands: dict[int, Delivery] = {}  # from quarantine
        self._waiting = Waiting()
        self._flight: dict[int, Delivery] = {}  # by number, in the order of sending
        self._number = 0
        self._answered = 0  # the newest number that was acknowledged
        self._heard = 0.0  # when the last acknowledgement came
        self._looked = self._listening = 0.0  # when it was looked, and since when at least every second
        self._since = 0.0  # since when there has always been an event awaited
        self._round_trip = 0.0
        self._probe: Delivery | None = None  # while nothing is answered
        self._probes = 0
        self._paced = False  # only the rate kept the next event from being sent
        self._last: Event | None = None  # that was taken
        self._control: Delivery | None = None  # a copy of it

    @property
    def in_flight(self) -> int:
        """How many events the broker has not answered yet."""
        return len(self._flight)

    @property
    def waiting(self) -> int:
        """Events that are here and have not been settled."""
        return len(self._stream) + len(self._errands)

    @property
    def unsent(self) -> int:
        """Events that were read and have never been sent."""
        return self._waiting.unsent

    @property
    def errands(self) -> int:
        """Events from quarantine, or asked for again, that are not settled."""
        return len(self._errands)

    @property
    def crowded(self) -> bool:
        """Whether no more events should be fetched for now."""
        return len(self._stream) >= CROWD

    @property
    def alone(self) -> bool:
        """A suspected event is awaited or comes next: nothing else is to be sent beside it."""
        head = self._peek()
        return any(delivery.suspect for delivery in self._flight.values()) or (head is not None and self._solo(head))

    def silent_for(self, now: float) -> float:
        """Seconds for which events have been awaited and nothing was acknowledged."""
        return now - max(self._since, self._heard) if self._flight or self._probe is not None else 0.0

    def add(self, events: Iterable[Event]) -> None:
        """Events of the ledger, behind those that were added before."""
        for event in events:
            delivery = self._stream[event.sequence] = Delivery(event, reason=event.damage)
            if event.damage:
                self._set_apart(delivery, Step.DAMAGED)
            else:
                self._waiting.add(delivery)

    def add_quarantined(self, events: Iterable[Event], replayed: bool = False) -> set[int]:
        """Events from quarantine, or that somebody asked for again; returns the numbers of those that are new here."""
        new = set()
        for event in events:
            if event.sequence not in self._errands and event.sequence not in self._stream:
                delivery = self._errands[event.sequence] = Delivery(event, quarantined=True, replayed=replayed)
                self._waiting.again(delivery)
                new.add(event.sequence)
                if event.damage:
                    delivery.reason = event.damage
                    self._set_apart(delivery, Step.DAMAGED)
        return new

    # Sending

    def next(self, now: float) -> Delivery | None:
        """The event to be sent now, if there is one; it is then taken as sent."""
        self._paced = False
        if self._probe is not None:
            if self._probe.stage is not Stage.WAITING or self._control is not None:
                return None
            if self._probes % 2 == 1 and self._last is not None:
                return self._send_last(self._last, now)
            return self._send(self._probe, now)
        if self.trial.in_doubt and self._last is not None:
            return None if self._flight or not self.pace.allows(now, 0) else self._send_last(self._last, now)
        while (head := self._peek()) is not None:
            if self.closed_topics.closed(head.event.topic, now):
                self._waiting.pop(head)
                head.reason = "the broker ends connections at events of this topic"
                self._set_apart(head, Step.TOPIC_CLOSED)
            elif self._must_wait(head):
                self._waiting.pop(head)
                self._hold_back(head)
            elif self._flight and (self._solo(head) or self._solo_in_flight() or self.trial.in_doubt):
                return None
            elif not self.pace.allows(now, len(self._flight)):
                self._paced = self.pace.wait(now) > 0
                return None
            else:
                self._waiting.pop(head)
                self.pace.sent()
                return self._send(head, now)
        return None

    def _peek(self) -> Delivery | None:
        """The waiting event with the lowest sequence; the smallest one where every event seems to end connections."""
        head = self._waiting.head()
        if head is not None and self.trial.in_doubt:
            return min(self._waiting.every(), key=self.trial.rank)
        return head

    def _must_wait(self, delivery: Delivery) -> bool:
        """Whether its topic keeps an event from being sent."""
        topic = delivery.event.topic
        if delivery.quarantined:
            return False
        return topic in self.denied or self.held.holds(delivery)

    def _hold_back(self, delivery: Delivery) -> None:
        """An event waits for its topic, in quarantine or here."""
        topic = delivery.event.topic
        if topic in self.denied:
            delivery.reason = delivery.reason or "an earlier event of its topic was refused"
            self._set_apart(delivery, Step.TOPIC_DENIED)
        else:
            self.held.keep(delivery)

    def _solo(self, delivery: Delivery) -> bool:
        return delivery.suspect or self.sizes.is_deadly(delivery)

    def _solo_in_flight(self) -> bool:
        return len(self._flight) == 1 and self._solo(next(iter(self._flight.values())))

    def _send(self, delivery: Delivery, now: float) -> Delivery:
        if not self._flight and self._probe is None:
            self._since = now
        delivery.go(Step.SEND)
        self._number += 1
        delivery.number = self._number
        delivery.sent_at = now
        delivery.sent = self.sizes.sent(delivery)
        delivery.copies += 1
        delivery.first = delivery.first or self._number
        self._flight[self._number] = delivery
        return delivery

    def _send_last(self, event: Event, now: float) -> Delivery:
        """Sends once more what was taken last: an answer shows that it is the others."""
        self._control = Delivery(event, copies=1)
        return self._send(self._control, now)

    # Answers

    def answered(self, delivery: Delivery, number: int, answer: Answer, reason: str, now: float) -> None:
        """The copy `number` of an event got `answer`. Answers to copies that were given up count only as a yes."""
        if delivery is self._control:
            self._prove(answer, now)
        elif answer is Answer.TAKEN:
            self._take(delivery, number, now)
        elif delivery.number == number and delivery.stage is Stage.SENT:
            if answer is Answer.CUT:
                return  # all of them are: see `cut`
            self._flight.pop(number, None)
            self._heard = now  # a refusal is no silence
            self._end_probe()
            delivery.reason = reason
            self._refuse(delivery, answer, now)

    def _prove(self, answer: Answer, now: float) -> None:
        """Whatever a broker answers to the control, the connection has not ended at it, and it is not silent."""
        if answer is not Answer.CUT and self._control is not None:
            self._flight.pop(self._control.number, None)
            self._answered, self._heard = max(self._answered, self._control.number), now
            self._end_probe()
            self._control = None
            self.trial.proved()

    def _take(self, delivery: Delivery, number: int, now: float) -> None:
        self._heard = now
        self._answered = max(self._answered, number)
        self._end_probe()
        self.trial.taken()
        self.closed_topics.taken(delivery.event.topic)
        self.pace.taken(now, delivery.event.sequence, delivery.event.topic)
        if delivery.stage is Stage.SENT and delivery.number == number:
            self._round_trip += ((now - delivery.sent_at) - self._round_trip) / 8
        self._flight.pop(delivery.number, None)
        self.sizes.taken(delivery)
        if self._last is None or delivery.event.sequence > self._last.sequence:
            self._last = delivery.event
        was = delivery.stage
        delivery.go(Answer.TAKEN)
        if delivery.quarantined:
            self._errands.pop(delivery.event.sequence, None)
        if delivery.quarantined or was in (Stage.SET_APART, Stage.SET_APART_FOR_GOOD):
            self.settled.append(delivery)
        self._let_go(self.held.taken(delivery))

    def _refuse(self, delivery: Delivery, answer: Answer, now: float) -> None:
        if answer is Answer.TOO_LARGE and self.sizes.refused(delivery):
            if not delivery.refusals:
                self._count(delivery, now)
            delivery.go(Step.GOES_IN_PARTS)
            self.held.refused(delivery, now, at_once=True)
            return
        self.silences += answer is Answer.SILENCE
        self._count(delivery, now)
        is_alone = False
        if answer in (Answer.NOT_NOW, Answer.SILENCE):
            is_alone = not self.pace.trouble(now, delivery.sent_at, delivery.event.sequence, delivery.event.topic)
        limit = LIMITS.get(answer)
        few = limit is not None and answer is Answer.SILENCE and delivery.refusals < limit.refusals
        if limit is not None and (self._exhausted(delivery, answer, now) or (delivery.quarantined and not few)):
            if answer is Answer.UNTIL_MENDED:
                self.denied.add(delivery.event.topic)
            self._set_apart(delivery, Step.PATIENCE_ENDS)
            self._let_go(self.held.free(delivery.event.topic))
        elif answer is Answer.SILENCE and (not is_alone or delivery.quarantined):
            self._wait_again(delivery, answer)
        elif delivery.go(Answer.NOT_NOW if answer is Answer.SILENCE else answer) is Stage.DEFERRED:
            self.held.refused(delivery, now)
        else:
            self._note(delivery)
            self._let_go(self.held.free(delivery.event.topic))

    def _count(self, delivery: Delivery, now: float) -> None:
        if not delivery.refusals:
            delivery.refused_at, delivery.taken_before = now, self.held.events_taken
        delivery.refusals += 1

    def _exhausted(self, delivery: Delivery, answer: Answer, now: float) -> bool:
        limit = LIMITS[answer]
        long = now - delivery.refused_at
        lossy = answer is Answer.SILENCE and self.pace.lossy  # then it may be chance, several times in a row
        enough = delivery.refusals >= limit.refusals * (2 if lossy else 1)
        others = self.held.events_taken > delivery.taken_before
        if answer is Answer.SILENCE:
            others = self._answered > delivery.first
        return enough and ((others and long >= limit.seconds) or (self.crowded and long >= limit.crowded))

    def _wait_again(self, delivery: Delivery, cause: Answer | Step) -> None:
        delivery.go(cause)
        self._waiting.again(delivery)

    def _end_probe(self) -> None:
        """Nothing is sent alone any more. The probe waits like the others where it is not under way."""
        probe, self._probe, self._probes = self._probe, None, 0
        if probe is not None and probe.stage is Stage.WAITING:
            self._waiting.again(probe)

    def _let_go(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            self._wait_again(delivery, Step.DUE)

    def _set_apart(self, delivery: Delivery, step: Step) -> None:
        delivery.go(step)
        self._note(delivery)

    def _note(self, delivery: Delivery) -> None:
        self.settled.append(delivery)
        if delivery.quarantined:
            self._errands.pop(delivery.event.sequence, None)

    # Silence and time

    def look(self, now: float) -> None:
        """To be called several times a second: finds what was passed over, and what has waited long enough."""
        if now - self._looked > DEAF:
            self._listening = now  # what was answered meanwhile is yet to be read
        self._looked = now
        overtaken = max(OVERTAKEN, 4 * self._round_trip)
        passed_over = []
        for number, delivery in self._flight.items():
            if number > self._answered or now - max(delivery.sent_at, self._listening) < overtaken:
                break
            passed_over.append(delivery)
        for delivery in passed_over:
            del self._flight[delivery.number]
            delivery.reason = "the broker acknowledged later events and not this one"
            self._refuse(delivery, Answer.SILENCE, now)
        self._look_for_silence(now)
        self._let_go(self.held.due(now))

    def _look_for_silence(self, now: float) -> None:
        if not self._flight:
            return
        if self._control is not None and self._probe is None:
            return
        awaited = self._control or self._probe or next(iter(self._flight.values()))
        since = max(awaited.sent_at, self._heard, self._listening)
        if awaited.stage is not Stage.SENT or now - since <= self._patience() * min(2**self._probes, LONGEST_PROBE):
            return
        del self._flight[awaited.number]
        if awaited is self._control:
            self._control = None
            self._probes += 1
            return
        awaited.reason = "the broker does not acknowledge it"
        self._probe = None
        self._count(awaited, now)
        self.silences += 1
        if self._exhausted(awaited, Answer.SILENCE, now):
            self._set_apart(awaited, Step.PATIENCE_ENDS)
            self._let_go(self.held.free(awaited.event.topic))
        else:
            self._probes += 1
            self._probe = awaited
            awaited.go(Answer.SILENCE)

    def _patience(self) -> float:
        return max(SILENCE, 8 * self._round_trip)

    def wait(self, now: float) -> float | None:
        """Seconds until `look` or `next` may have something to do by themselves, None for never."""
        if not (self._flight or self.held or self._waiting):
            return None
        return min(0.25, max(self.pace.wait(now), 0.001)) if self._paced else 0.25

    # The end of a connection

    def cut(self, end: End) -> None:
        """The connection has ended."""
        awaited, self._flight = list(self._flight.values()), {}
        control, self._control = self._control, None
        self.pace.cut(self._looked, {one.event.sequence for one in awaited if one is not control}, end)
        self._end_probe()
        blame = end.blames_a_message
        for delivery in [one for one in awaited if one is not control]:
            if blame and len(awaited) == 1 and self._solo(delivery) and self._condemned(delivery, end):
                continue
            delivery.suspect = delivery.suspect or blame
            self._wait_again(delivery, Answer.CUT)
        self.held.cut()

    def _condemned(self, delivery: Delivery, end: End) -> bool:
        """Counts a connection against an event; True where it is set apart for that."""
        control = self._last is not None
        others = control or bool(self._waiting.every())
        verdict = self.trial.judge(delivery, others, control, end is End.TOO_LARGE)
        if verdict is not Verdict.AGAIN:
            self.pace.explained()
        if verdict is not Verdict.GUILTY:
            return False
        self.closed_topics.guilty(delivery.event.topic, self._looked)
        delivery.reason = f"the broker ended {delivery.copies} connections at this event of {delivery.size} bytes"
        self._set_apart(delivery, Step.ENDS_CONNECTIONS)
        return True

    def advance(self) -> int | None:
        """Moves on over the settled events at the front; returns the last of them, None where there is none."""
        last = None
        while self._stream and (delivery := next(iter(self._stream.values()))).stage in DONE:
            last = delivery.event.sequence
            del self._stream[last]
        return last
