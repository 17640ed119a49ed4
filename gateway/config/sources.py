"""Where manifests and expected sets come from: folders, the Metrc API, the columns of CSV files. Times are seconds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from gateway.config.base import FilePath, Identifier, Name, Seconds, Section, TimeZone, in_the_form

Columns = dict[
    Literal[
        "manifest", "version", "direction", "delivery", "dock", "recipient", "uid", "product", "category", "quantity",
        "unit", "batch", "lab_state", "location", "hold", "recall", "investigation", "finished", "destroyed", "as_of",
        "expires", "coa_passed", "coa_released", "coa_revoked", "coa_expires", "coa_document",
    ],
    Name,
]  # fmt: skip


class FolderConfig(Section):
    """A folder in which manifests are put down, as JSON in Metrc's shapes or ours, or as CSV.

    A file is taken once its size has not changed for `settle`. `columns` renames the columns of CSV files.
    """

    directory: FilePath
    settle: Annotated[float, Field(ge=0.05, le=60)] = 2.0
    poll: Annotated[float, Field(ge=0.05, le=60)] = 1.0
    max_bytes: Annotated[int, Field(ge=1024, le=64 << 20)] = 8 << 20
    time_zone: TimeZone = "UTC"
    columns: Columns = {}


class MetrcAccess(Section):
    """The Metrc v2 API, read only. Both keys are files that only the service can read, read at every connection. `rate`
    is the GETs a second that this gateway allows itself; Metrc allows a facility 50."""

    url: Annotated[
        str,
        in_the_form(
            "write the address of the state's API, such as https://api-co.metrc.com",
            r"^https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._/-]*)?$",
        ),
    ]
    license: Annotated[
        str, in_the_form("write the number of the licence, such as 403R-00001", r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    ]
    vendor_key_file: FilePath
    user_key_file: FilePath
    time_zone: TimeZone = "UTC"
    rate: Annotated[float, Field(ge=0.5, le=50)] = 20.0
    timeout: Annotated[float, Field(ge=1, le=300)] = 30.0

    @field_validator("url")
    @classmethod
    def _not_in_the_clear(cls, url: str) -> str:
        local = ("http://localhost", "http://127.0.0.1", "http://[::1]")
        if url.startswith("http://") and not url.startswith(local):
            raise ValueError("the keys would travel in the clear: write https://")
        return url.rstrip("/")


class MetrcConfig(MetrcAccess):
    """Manifests from Metrc. Transfers changed within `days` are looked for every `poll`; facts are fetched again every
    `refresh`. Every `packages_every` all packages of the licence are fetched where they are wanted: with `stock` for
    what expires first, with `hold_list` to fill that watch list with what is on hold and what belongs to it."""

    incoming: bool = False
    days: Annotated[int, Field(ge=1, le=14)] = 3
    poll: Annotated[float, Field(ge=5, le=86_400)] = 60.0
    refresh: Annotated[float, Field(ge=30, le=86_400)] = 900.0
    stock: bool = False
    hold_list: Identifier | None = None
    packages_every: Annotated[float, Field(ge=5, le=86_400)] = 900.0


class ManifestsConfig(Section):
    """Where manifests come from, beside the command `manifest`. `identifiers_file` is a CSV of EPC and identifier for
    states whose identifiers are not the EPC (BioTrack, Leaf)."""

    folder: FolderConfig | None = None
    metrc: MetrcConfig | None = None
    identifiers_file: FilePath | None = None


class ExpectedColumns(Section):
    """What the files call the columns. Without `zone` a file is of one zone and has its name, such as vault.csv."""

    uid: Name = "uid"
    zone: Name | None = None


class ExpectedConfig(Section):
    """A folder in which expected sets are put down as CSV. A file is taken once it has not changed for `settle`.

    `zones` says which zone a name in the zone column means, where that is neither the zone's id nor its name.
    """

    directory: FilePath
    settle: Annotated[float, Field(ge=0.05, le=60)] = 2.0
    poll: Seconds = 2.0
    max_bytes: Annotated[int, Field(ge=1024, le=64 << 20)] = 16 << 20
    columns: ExpectedColumns = ExpectedColumns()
    zones: dict[Name, Identifier] = {}
