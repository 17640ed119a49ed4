"""What was scanned with a barcode or QR reader: codes of packages, as the UIDs of their tags."""

from __future__ import annotations

import re
from typing import Any

from gateway.errors import Refused
from gateway.history.identify import identify, retail_id
from gateway.sources.identifiers import IdentifierMap
from gateway.text import printable

_LABEL = re.compile(r"[0-9A-F]{24}")
"""What is printed on a package's tag: an EPC of 96 bits. A product's barcode has fewer digits and names no package."""

MAX_CODES = 200


def decoded(name: str, args: dict[str, Any], identifiers: IdentifierMap) -> dict[str, Any]:
    """The arguments of a command `reads` with UIDs in place of `codes`, which were scanned. Raises Refused where one is
    the code of no package."""
    if name != "reads" or "codes" not in args:
        return args
    codes = args["codes"]
    if "uids" in args:
        raise Refused("reads: has uids and codes: send one of them, the others in a message of their own")
    if not isinstance(codes, list) or not 0 < len(codes) <= MAX_CODES:
        raise Refused(f"reads: codes is no list of 1 to {MAX_CODES} texts")
    uids = [uid_of(code, identifiers) for code in codes]
    return {key: value for key, value in args.items() if key != "codes"} | {"uids": uids, "how": "barcode"}


def uid_of(code: Any, identifiers: IdentifierMap) -> str:
    """The UID of the package whose label, or one of whose units' Retail ID, was scanned. Raises Refused."""
    if not isinstance(code, str):
        raise Refused("reads: a code is no text")
    text = code.strip()
    retail = retail_id(text)
    if retail is not None:
        return identifiers.known(retail[0]) or retail[0]
    known = identifiers.known(text)
    if known is not None:
        return known
    asked = identify(text)
    if asked.uid is not None and _LABEL.fullmatch(asked.uid):
        return asked.uid
    raise Refused(f"{printable(text, 60)!r} is the code of no package: scan the label of the package's tag")
