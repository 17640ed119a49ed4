"""What the gate may be told, beside manifests: the arguments of each command as a model."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from gateway.config.base import Identifier
from gateway.errors import Refused
from gateway.floor.gate.manifest import Key, Text, Time, Uid
from gateway.inputs import Command
from gateway.text import printable, problems

MAX_UIDS = 2_000
"""UIDs of one command: what fits into an MQTT command, and more than a handheld reads at a time."""

MAX_STOCK = 10_000
"""Packages of one command `stock`: twice the largest vault that is known, in less than a megabyte."""

Who = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(lambda who: printable(who, 64))]
Uids = Annotated[list[Uid], Field(min_length=1, max_length=MAX_UIDS)]

COMMANDS = (
    "manifest", "manifest.withdraw", "manifest.refused", "gate.open", "gate.close", "gate.confirm", "gate.override",
    "reads", "watch", "stock", "destroy",
)  # fmt: skip
"""The commands that are the gate's."""


class Arguments(BaseModel):
    """`by` is who asked; `request` names the command for repetition and is the intake's."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    by: Who = "backend"
    request: str | None = None


class Open(Arguments):
    """Opens a session at a dock. Without a manifest: for the one delivery that waits for this dock."""

    dock: Identifier
    manifest: Key | None = None
    delivery: Key | None = None


class Close(Arguments):
    """Ends the session at a dock; its verdict follows once the last passes are decided."""

    dock: Identifier


class Confirm(Arguments):
    """Somebody has looked into the van after the portal was not watched for a while. `reason`: what was found."""

    dock: Identifier
    by: Who
    reason: Annotated[Text, Field(min_length=1)]


class Override(Arguments):
    """A named person answers for one line of which something is not known, such as while Metrc cannot be asked."""

    dock: Identifier
    uid: Uid
    by: Who
    reason: Annotated[Text, Field(min_length=1)]


class Withdraw(Arguments):
    """A manifest is void: nothing may be loaded on it any more."""

    manifest: Key
    reason: Text = ""


class Reads(Arguments):
    """A handheld scanner has found packages at a dock: `loaded`, or `outside` and so not loaded."""

    reader: Identifier
    dock: Identifier
    uids: Uids
    how: Literal["rfid", "barcode"] = "rfid"
    where: Literal["loaded", "outside"] = "loaded"
    time: Time | None = None


class WatchListChange(Arguments):
    """A watch list: what it holds from now on, or what is put on it or taken from it. `reason` is for people."""

    name: Annotated[Identifier, Field(alias="list")]
    mode: Literal["set", "add", "remove"] = "set"
    uids: Annotated[list[Uid], Field(max_length=MAX_UIDS)]
    as_of: Time | None = None
    reason: Text = ""


class StockItem(BaseModel):
    """A package on this site, and when it must not be sold or used any more."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    uid: Uid
    product: Annotated[Text, Field(min_length=1)]
    expires: Time | None = None


class Stock(Arguments):
    """All packages of the site, as a book knows them: what has to leave first is seen from it."""

    items: Annotated[list[StockItem], Field(max_length=MAX_STOCK)]
    as_of: Time | None = None


class Destroy(Arguments):
    """A package was destroyed, by one person before the eyes of another. `photo` is where the picture is kept."""

    uid: Uid
    weight: Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
    unit: Annotated[Text, Field(min_length=1, max_length=20)]
    method: Annotated[Text, Field(min_length=1)]
    by: Who
    witness: Who
    photo: Annotated[Text, Field(min_length=1)]
    reason: Text = ""

    @model_validator(mode="after")
    def _two_people(self) -> Destroy:
        if " ".join(self.by.casefold().split()) == " ".join(self.witness.casefold().split()):
            raise ValueError("the witness is who destroyed it: name another person")
        return self


class Rejected(Arguments):
    """A manifest could not be taken from its source: a file, or an API. For the alarm that says so."""

    source: Identifier
    name: Annotated[str, StringConstraints(max_length=200)] = ""
    reason: Annotated[str, StringConstraints(min_length=1, max_length=2000)]


_Model = TypeVar("_Model", bound=Arguments)


def read(model: type[_Model], command: Command) -> _Model:
    """The arguments of a command. Raises Refused, saying what is wrong with them."""
    try:
        return command.typed(model.model_validate)
    except ValidationError as error:
        raise Refused(f"{command.name}: {problems(error, model)}") from None
    except ValueError as error:
        raise Refused(f"{command.name}: cannot be read: {printable(str(error), 100)}") from None
