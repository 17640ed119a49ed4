"""The intake: commands from the backend and its acknowledgements, from any payload to a clear answer.

A command is a JSON object on ``cmd/{name}``. The answer goes to the response topic of the message (MQTT 5), with its
correlation data, and otherwise to ``res/{name}``. Commands are carried out one after the other, in the order in which
they came. One that cannot be understood is refused, with the reason, and changes nothing.

A command is acknowledged to the broker once it is done and answered: until then the broker keeps it. A burst is taken
in as fast as it is carried out, never dropped: in MQTT 5 by the Receive Maximum, and where the broker sends more
than that, by reading no further.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, NoReturn, TypeVar

import orjson
import paho.mqtt.client as paho
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from drivers.api import Log
from drivers.sparse_log import SparseLog
from gateway.errors import Refused
from gateway.mqtt.answers import Answer, classify
from gateway.mqtt.interface import LOST_CODE, Connection, Message, Outcome, Properties
from gateway.mqtt.repeats import Repeats
from gateway.mqtt.stats import MqttStats
from gateway.mqtt.subscriptions import Subscriptions
from gateway.mqtt.suspects import Suspects
from gateway.tasks import loop_time, to_its_end
from gateway.text import validated

MAX_PAYLOAD = 1 << 20
"""Bytes of a command: room for a manifest of 500 packages with all its facts, which is 290 kB, and some to spare."""

MAX_WAITING = 1_000
MAX_WAITING_BYTES = 16 << 20
"""Messages that wait to be carried out, and their bytes, above which no more is read from the broker. A broker that
keeps to the Receive Maximum never sends so many; what comes in one piece with the last of them is still taken."""

MAX_ANSWERING = 200
"""Answers that the broker has not acknowledged, above which no command is begun while it is read from: where nothing
is read, no acknowledgement comes either, and what waits has to be carried out first."""

RECONNECT_SECONDS = 1.0
"""For an answer to wait where there is no connection just now."""

ANSWER_SECONDS = 10.0
"""For the broker to take an answer, after which the command is acknowledged all the same."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""Seconds until an answer that was refused is sent again: doubled each time, up to the longest."""

PATIENCE = {Answer.NOT_NOW: 60.0, Answer.UNTIL_MENDED: 3.0}
"""Seconds for which an answer that is refused so is sent again; the command is acknowledged after that."""

SHORT = 400
"""Bytes of an answer below which one that is too large for the broker is not replaced by one that says so."""

MAX_RESPONSE_TOPIC = 1_024
"""Bytes. A topic may have 65,535, but nobody needs them, and it is echoed into logs."""

HANDLER_SECONDS = 30.0
"""For one command. The next ones wait for it."""

FINISH_SECONDS = 5.0
"""For the command that is being carried out when the broker of the configuration changes: the broker has it still, and
sends it again, to be answered and not to be carried out twice."""

_Model = TypeVar("_Model", bound=BaseModel)

Handler = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""Carries out the command (name, arguments) and returns its result. Raises `Refused`, having changed nothing."""

Listener = Callable[[str, bytes], Awaitable[None]]
"""Takes what other clients publish on topics that are not the gateway's: (topic, payload). Never raises."""

AckTaker = Callable[[str, int], None]
"""Takes the backend's durable mark: (epoch, sequence). Raises `Refused` when it cannot be right."""


class _Command(BaseModel):
    """What every command has: an object, and perhaps the name of the request. All of it goes to the handler."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    request: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = None


class _Ack(BaseModel):
    """The backend has everything of `epoch` up to `sequence` where it cannot get lost."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    epoch: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    sequence: Annotated[int, Field(ge=0, le=2**63 - 1)]


class Intake:
    """Takes messages from every connection, one after the other, and answers over the one that is open then.

    A command outlives the connection that brought it: once begun it is carried out, and its answer is remembered
    under the request's name for when the backend asks again.
    """

    def __init__(
        self,
        base: str,
        handler: Handler,
        on_ack: AckTaker,
        log: Log,
        stats: MqttStats,
        names: Sequence[str] = (),
        others: Mapping[str, Listener] | None = None,
        repeats: Repeats | None = None,
    ) -> None:
        self._others = dict(others or {})  # filters of topics that are not the gateway's, and who takes them
        self.subscriptions = Subscriptions(base, names, list(self._others), log)
        self._base = base
        self._handler = handler
        self._on_ack = on_ack
        self._log = log
        self._sparse = SparseLog(log)
        self._stats = stats
        self._waiting: deque[Message] = deque()
        self._waiting_bytes = 0
        self._arrived = asyncio.Event()
        self._paused = False
        self._connection: Connection | None = None
        repeats = repeats or Repeats()
        self._answers, self._seen = repeats.answers, repeats.seen
        self._answering: set[asyncio.Task[None]] = set()
        self._suspects = Suspects()  # topics of answers
        self._alone = asyncio.Lock()
        self._own = {f"{base}res/{name}" for name in names}  # topics of answers
        self._untaken: set[str] = set()  # of them those on which the broker has refused the last answer

    @property
    def problem(self) -> str:
        """Which answers the broker does not take, for the operator; else nothing. Topics of others are left to them."""
        topics = sorted(self._untaken | self._own.intersection(self._suspects.all_left_out))
        if not topics:
            return ""
        return f"the MQTT broker does not take answers to commands, such as on {topics[0]}: check its access rules"

    def receive(self, message: Message) -> None:
        """Takes a message from the broker; it is carried out by `run`."""
        self._waiting.append(message)
        self._waiting_bytes += len(message.payload)
        self._arrived.set()
        self._hold()

    def _hold(self) -> None:
        """Reads no further while too much waits."""
        full = len(self._waiting) >= MAX_WAITING or self._waiting_bytes >= MAX_WAITING_BYTES
        if full and not self._paused and self._connection is not None:
            self._paused = True
            self._stats.commands_held += 1
            self._connection.pause()
        elif self._paused and len(self._waiting) <= MAX_WAITING // 2 and self._waiting_bytes <= MAX_WAITING_BYTES // 2:
            self._paused = False
            if self._connection is not None:
                self._connection.resume()

    async def open(self, connection: Connection) -> None:
        """Subscribes over a new connection, which from now on carries the answers. Raises `LinkError`."""
        self._connection = connection
        self._paused = False
        self._hold()
        await self.subscriptions.open(connection)

    async def run(self) -> NoReturn:
        """Carries out what was received, for ever."""
        while True:
            while not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            message = self._waiting.popleft()
            self._waiting_bytes -= len(message.payload)
            self._hold()
            if not message.topic.startswith(self._base):
                await self._hear(message)
                continue
            kind = message.topic.removeprefix(self._base)
            if kind.startswith("cmd/"):
                while len(self._answering) >= MAX_ANSWERING and not self._paused:
                    await asyncio.wait(self._answering, return_when=asyncio.FIRST_COMPLETED)
                await to_its_end(self._take_command(kind.removeprefix("cmd/"), message), FINISH_SECONDS)
                continue
            if kind == "ack":
                self._take_ack(message)
            message.acknowledge()

    async def _hear(self, message: Message) -> None:
        """Hands on what another client has published; what the broker has kept is not news. What cannot be read is
        acknowledged too: the broker would send it for ever."""
        if not message.topic:
            self._sparse.warning("a message of the MQTT broker cannot be read: it is passed over")
        for wanted, listener in self._others.items():
            if paho.topic_matches_sub(wanted, message.topic) and not message.retain:
                await listener(message.topic, message.payload)
                break
        message.acknowledge()

    def _take_ack(self, message: Message) -> None:
        """Takes the mark of the backend. It may be retained, since it only ever says more than before: so it reaches a
        gateway that was away."""
        if not message.payload:  # that is how a retained one is cleared
            return
        try:
            ack = _parse(_Ack, message.payload)
            self._on_ack(ack.epoch, ack.sequence)
        except Refused as refusal:
            self._stats.acks_refused += 1
            self._log.warning("an acknowledgement of the backend is refused", topic=message.topic, reason=str(refusal))
        else:
            self._stats.acks += 1

    async def _take_command(self, name: str, message: Message) -> None:
        request: str | None = None
        try:
            _check(message, self._base)
            command = _parse(_Command, message.payload)
            request = command.request
            answer = self._answers.find(name, request, message.payload) or self._seen.find(message)
            if answer is not None:
                self._stats.commands_repeated += 1
            else:
                named = {} if request is None else {"request": request}
                answer = await self._carry_out(name, request, dict(command.model_extra or {}) | named)
                self._answers.remember(name, request, message.payload, answer)
        except Refused as refusal:
            self._stats.commands_refused += 1
            self._sparse.warning("a command is refused", command=_short(name), request=request, reason=str(refusal))
            answer = _encode({"status": "refused", "reason": str(refusal)}, request)
        self._seen.remember(message, answer)
        self._answer(name, message, answer)

    async def _carry_out(self, name: str, request: str | None, arguments: dict[str, Any]) -> bytes:
        try:
            async with asyncio.timeout(HANDLER_SECONDS):
                result = await self._handler(name, arguments)
            answer = _encode({"status": "ok", "result": result}, request)
        except Refused:
            raise
        except TimeoutError:
            self._stats.commands_failed += 1
            self._log.error("a command took too long and was broken off", command=_short(name), seconds=HANDLER_SECONDS)
            return _encode({"status": "error", "reason": f"not done within {HANDLER_SECONDS:.0f} s"}, request)
        except Exception as error:  # a fault in one command must not stop the gateway
            self._stats.commands_failed += 1
            self._log.error(
                "a command failed", command=_short(name), request=request, error=repr(error), exc_info=error
            )
            return _encode({"status": "error", "reason": "internal error: see the gateway's log"}, request)
        self._stats.commands_done += 1
        return answer

    def _answer(self, name: str, message: Message, answer: bytes) -> None:
        """Sends the answer; once it is with the broker, the command is acknowledged."""
        topic = message.response_topic
        if topic is None or _bad_response_topic(topic, self._base):
            topic = f"{self._base}res/{name}"
        task = asyncio.create_task(self._finish(name, topic, message, answer), name="mqtt-answer")
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _finish(self, name: str, topic: str, message: Message, answer: bytes) -> None:
        started, pause = loop_time(), FIRST_PAUSE
        while not (result := await self._send_answer(topic, message, answer)).accepted:
            kind = classify(result.code)
            if kind is Answer.TOO_LARGE and len(answer) > SHORT:
                answer = _too_large(answer)
                continue
            if loop_time() - started + pause > PATIENCE.get(kind, 0.0):
                self._undelivered(name, topic, str(result))
                self._untaken.update(self._own.intersection([topic] if not result.lost else []))
                break
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        else:
            self._untaken.discard(topic)
        message.acknowledge()

    async def _send_answer(self, topic: str, message: Message, answer: bytes) -> Outcome:
        """Sends an answer once. Those at which connections may end go one at a time, and one at which they do is
        replaced by a short one before it is left out."""
        if self._suspects.left_out(topic, loop_time()):
            return Outcome(LOST_CODE, "the MQTT broker ends the connection at answers to this topic")
        async with self._alone if self._suspects.names else contextlib.nullcontext():
            connection = self._connection
            if connection is None or connection.lost.done():
                await asyncio.sleep(RECONNECT_SECONDS)  # a new one may be opening, which has brought this command
                connection = self._connection
            if connection is None or connection.lost.done():
                return Outcome(LOST_CODE, "there is no connection")
            if self._suspects.deaths(topic) and len(answer) > SHORT:
                answer = _too_large(answer)
            properties = Properties("application/json", correlation=message.correlation)
            outcome = connection.send(topic, answer, qos=min(1, connection.features.qos), properties=properties)
            self._suspects.awaits([topic] if not outcome.done() else [])
            await asyncio.wait([outcome], timeout=ANSWER_SECONDS)
            result = outcome.result() if outcome.done() else Outcome(LOST_CODE, "the broker does not acknowledge it")
            if result.accepted:
                self._suspects.answered(topic)
            elif not result.lost:
                self._suspects.refused([topic], loop_time())
                if topic in self._suspects.names:
                    await self._suspects.outlasted(connection.lost)
            return result

    def cut(self, blame: bool) -> bool:
        """The connection has ended; whether it was at an answer or a subscription alone. `blame`: the broker ended it,
        and something from here may have been the cause."""
        found = self.subscriptions.cut(blame)
        topic = self._suspects.cut(blame, loop_time())
        if topic is not None:
            self._log.error(
                "the MQTT broker ends the connection at answers: they are left out for half an hour; "
                "check its access rules and the response topic",
                topic=topic,
            )
        return found or self._suspects.found

    def _undelivered(self, name: str, topic: str, reason: str) -> None:
        self._stats.answers_undelivered += 1
        self._sparse.warning(
            "the answer to a command could not be delivered", command=_short(name), topic=topic, reason=reason
        )


def _check(message: Message, base: str) -> None:
    if message.retain:
        raise Refused(
            "the command was published with the retain flag, so it would be carried out again at every reconnect: "
            "publish it without, and clear the retained message with an empty one"
        )
    size = max(message.size, len(message.payload))
    if size > MAX_PAYLOAD:
        raise Refused(f"the payload has {size} bytes; at most {MAX_PAYLOAD} are taken")
    problem = message.response_topic is not None and _bad_response_topic(message.response_topic, base)
    if problem:
        raise Refused(f"the response topic {problem}; this answer goes to the default topic")


def _bad_response_topic(topic: str, base: str) -> str:
    """What is wrong with a response topic, empty for nothing.

    The gateway may publish where the sender of a command may not. An answer must not be able to pass for an event or
    a state, of this gateway or of another one below the same root.
    """
    if not topic or len(topic.encode()) > MAX_RESPONSE_TOPIC:
        return f"must have 1 to {MAX_RESPONSE_TOPIC} bytes"
    if any(character in topic for character in "+#\0"):
        return "must not contain a wildcard"
    if topic.startswith("$"):
        return "must not be one of the broker's own"
    root = base.split("/", 1)[0] + "/v1/"
    below_gateway = topic.removeprefix(root).split("/")[2:]
    if topic.startswith(root) and below_gateway[:1] != ["res"]:
        return f"lies below {root} and is not a res/ topic of a gateway"
    return ""


def _parse(model: type[_Model], payload: bytes) -> _Model:
    try:
        content = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise Refused(f"the payload is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise Refused("the payload must be a JSON object, such as {}")
    return validated(model, content, "the payload is wrong")


def _encode(answer: dict[str, Any], request: str | None) -> bytes:
    if request is not None:
        answer["request"] = request
    return orjson.dumps(answer)


def _too_large(answer: bytes) -> bytes:
    """What is said in place of an answer that is too large for the broker."""
    reason = f"carried out, but the MQTT broker does not take its answer of {len(answer)} bytes: ask for less"
    return _encode({"status": "error", "reason": reason}, orjson.loads(answer).get("request"))


def _short(text: str) -> str:
    """For a log: whoever sends a command chooses its name."""
    return text if len(text) <= 64 else text[:64] + "…"
