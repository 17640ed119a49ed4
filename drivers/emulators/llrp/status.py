"""How the emulated LLRP reader says yes and no: LLRPStatus parameters (LLRP 1.0.1, section 14.2)."""

from __future__ import annotations

from enum import IntEnum

from drivers.llrp.protocol.element import E, Element
from drivers.llrp.protocol.tables import PARAMETERS_BY_NAME


class Status(IntEnum):
    """The status codes that the emulator uses."""

    SUCCESS = 0
    PARAMETER_ERROR = 100
    FIELD_ERROR = 101
    MISSING_PARAMETER = 103
    UNSUPPORTED_MESSAGE = 109
    UNSUPPORTED_VERSION = 110
    P_PARAMETER_ERROR = 200
    P_FIELD_ERROR = 201
    P_MISSING_PARAMETER = 203
    P_OVERFLOW_PARAMETER = 205
    P_UNSUPPORTED_PARAMETER = 209
    A_INVALID = 300
    DEVICE_ERROR = 401


OK = E("LLRPStatus", StatusCode=Status.SUCCESS.value, ErrorDescription="")


class Rejected(Exception):
    """A request that is not carried out; `status` is what the client is told."""

    def __init__(self, status: Element) -> None:
        super().__init__(status["ErrorDescription"])
        self.status = status


def failure(code: Status, text: str, *details: Element) -> Rejected:
    """A request refused: an LLRPStatus with its code, a text and the details."""
    return Rejected(E("LLRPStatus", *details, StatusCode=code.value, ErrorDescription=text))


def bad_field(number: int, text: str, code: Status = Status.A_INVALID) -> Rejected:
    """A field of the message itself is wrong; `number` counts from 0."""
    return failure(Status.FIELD_ERROR, text, E("FieldError", FieldNum=number, ErrorCode=code.value))


def bad_parameter(name: str, text: str, code: Status = Status.P_PARAMETER_ERROR, field: int | None = None) -> Rejected:
    """A parameter of the message is wrong, or (with `field`, from 0) a field of that parameter."""
    inner = [] if field is None else [E("FieldError", FieldNum=field, ErrorCode=Status.A_INVALID.value)]
    number = PARAMETERS_BY_NAME[name].number if name in PARAMETERS_BY_NAME else 0
    detail = E("ParameterError", *inner, ParameterType=number, ErrorCode=code.value)
    return failure(Status.PARAMETER_ERROR, text, detail)
