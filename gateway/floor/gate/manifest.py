"""A manifest as the gate knows it: deliveries, their lines, and the facts about each package with the time as of
which they are true.

The same model whoever fills it: the Metrc client, a file, or an inventory backend over ``cmd/manifest``. A fact that
is not known is None, and rules treat it so.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationError,
)

from gateway.clock import read_rfc3339, rfc3339
from gateway.config.base import Identifier
from gateway.errors import Refused
from gateway.text import first_of, printable, problems

MAX_LINES = 2_000
"""Lines of one manifest. A van holds some 500 packages; what is longer is a mistake or an attack."""

MAX_DELIVERIES = 100
MAX_RESULTS = 400
"""Lab results of one package: a full panel is about a hundred, and it may have been tested again."""

_MARKUP = re.compile(r"<[A-Za-z/!?]")


def _plain(value: str) -> str:
    """Refuses what no product name has: it ends up on a wall tablet, in logs and in spreadsheets."""
    if _MARKUP.search(value):
        raise ValueError("looks like markup: write plain text")
    if not value.isprintable():
        raise ValueError("contains control characters: write plain text")
    return value


def is_plain(value: str) -> bool:
    """Whether a text may stand in a manifest."""
    return value.isprintable() and not _MARKUP.search(value)


Time = Annotated[int, BeforeValidator(read_rfc3339), PlainSerializer(rfc3339)]
Text = Annotated[str, StringConstraints(max_length=200), AfterValidator(_plain)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_plain)]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._/-]{0,63}$")]
Uid = Annotated[str, StringConstraints(pattern=r"^([0-9A-F]{2}){2,62}$")]
"""The EPC in capital hex: what the floor calls a tag."""

Flag: TypeAlias = bool | Annotated[list[Name], Field(max_length=10)] | None
"""True or the names of what is set; false or an empty list: known not to be; None: not known."""

DeliveryKey: TypeAlias = tuple[str, str]
"""Manifest and delivery."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Record(_Part):
    """What the state system's package record says. `lab_expires`: until when its test results are good, if a limit.
    `expires`: the first of the dates after which it must not be sold or used; None where no date limits it, which is
    the usual case; ``unknown`` where one is written that cannot be read."""

    as_of: Time
    lab_state: Name | None = None
    lab_expires: Time | None = None
    expires: Time | Literal["unknown"] | None = None
    location: Text | None = None
    hold: Flag = None
    recall: Flag = None
    investigation: Flag = None
    finished: Flag = None
    destroyed: Flag = None


class Result(_Part):
    """One test of a lab result. `performed` orders tests of the same name: the newest counts."""

    test: Text
    performed: Text = ""
    passed: bool | None = None
    released: bool | None = None
    revoked: bool | None = None
    expires: Time | None = None
    document: Annotated[str, StringConstraints(max_length=100)] | None = None


class Lab(_Part):
    """The lab results of a package and the batches of tests that it needs (None: not known)."""

    as_of: Time
    required: Annotated[list[Text], Field(max_length=100)] | None = None
    results: Annotated[list[Result], Field(max_length=MAX_RESULTS)]


class Line(_Part):
    """One package. `identifier` is the state's name for it where that is not the UID; `lab_state` is what the
    manifest itself says."""

    uid: Uid
    identifier: Name | None = None
    product: Text = ""
    category: Text = ""
    quantity: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] | None = None
    unit: Text = ""
    batch: Text = ""
    lab_state: Name | None = None
    record: Record | None = None
    lab: Lab | None = None


class Delivery(_Part):
    """One stop of the van. `dock` is where it is loaded, if that was decided."""

    delivery: Key
    dock: Identifier | None = None
    recipient: Text = ""
    lines: Annotated[list[Line], Field(max_length=MAX_LINES)]


class Manifest(_Part):
    """One manifest. A correction comes whole, under a higher `version`. `as_of` is when its lines were true."""

    manifest: Key
    version: Annotated[int, Field(ge=1, le=2**53)]
    direction: Literal["out", "in"] = "out"
    as_of: Time
    source: Text = ""
    deliveries: Annotated[list[Delivery], Field(min_length=1, max_length=MAX_DELIVERIES)]

    def size(self) -> int:
        """How many lines it has in all."""
        return sum(len(delivery.lines) for delivery in self.deliveries)

    def delivery(self, name: str) -> Delivery | None:
        """The delivery of a name."""
        return next((delivery for delivery in self.deliveries if delivery.delivery == name), None)


def as_json(part: Manifest | Line) -> bytes:
    """A manifest or a line of one as JSON, with all its fields in their order."""
    return part.model_dump_json().encode()


_VERSION = re.compile(rb'"version":\d+,')
_AS_OF = re.compile(rb'"as_of":"[^"]*",')
"""A field of its own, and never in a text: quotation marks in texts are escaped."""


def essence(text: bytes) -> bytes:
    """What `as_json` gave, without the manifest's version and when its facts were true."""
    return _AS_OF.sub(b"", _VERSION.sub(b"", text, count=1))


def read_manifest(args: Any) -> Manifest:
    """The manifest in a command's arguments. Raises Refused, naming what is wrong."""
    try:
        manifest = Manifest.model_validate(args)
    except ValidationError as error:
        raise Refused(f"manifest {_shown(args)}: {problems(error, Manifest)}") from None
    except ValueError as error:  # numbers and texts that the validator itself cannot take
        raise Refused(f"manifest {_shown(args)}: cannot be read: {printable(str(error), 100)}") from None
    if manifest.size() > MAX_LINES:
        raise Refused(f"manifest {manifest.manifest}: {manifest.size()} lines are more than {MAX_LINES}: split it")
    _no_repeats(manifest, "delivery", [delivery.delivery for delivery in manifest.deliveries])
    _no_repeats(manifest, "UID", [line.uid for delivery in manifest.deliveries for line in delivery.lines])
    return manifest


def _no_repeats(manifest: Manifest, what: str, names: list[str]) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise Refused(f"manifest {manifest.manifest}: {what} {first_of(twice)} is there twice: correct it")


def _shown(args: Any) -> str:
    name = args.get("manifest") if isinstance(args, dict) else None
    return printable(name, 40) if isinstance(name, str) and name else "without a name"
