"""The section of the configuration that is about cameras: which looks where, and how its recordings are found."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from gateway.config.base import FilePath, Identifier, Section, in_the_form

HttpUrl = Annotated[
    str,
    in_the_form(
        "write an address such as https://host.example:8971/path, without a user, `?` or `#`",
        r"^https?://[^\s/?#@]+(/[^\s?#]*)?$",
        max_length=500,
    ),
]
"""An address without a user, a query or a fragment."""


class FrigateConfig(Section):
    """A Frigate that keeps the recordings: its address and its name of the camera. The token, where one is needed, is
    read from `token_file` each time."""

    url: HttpUrl
    camera: Annotated[
        str, in_the_form("write at most 64 letters, digits, dots, underscores and hyphens", r"^[A-Za-z0-9_.-]{1,64}$")
    ]
    token_file: FilePath | None = None


class CameraConfig(Section):
    """A camera that sees the zones and portals `places`. `link` leads to its recording: ``{start}`` and ``{end}`` in it
    become seconds since 1970. A change of place is looked for from `before` seconds before it to `after` behind it."""

    id: Identifier
    places: Annotated[list[Identifier], Field(min_length=1, max_length=100)]
    link: (
        Annotated[str, in_the_form("write an address that begins with https://", r"^https?://\S+$", max_length=500)]
        | None
    ) = None
    frigate: FrigateConfig | None = None
    before: Annotated[float, Field(ge=0, le=600)] = 15.0
    after: Annotated[float, Field(ge=0, le=600)] = 15.0


def _distinct(cameras: list[CameraConfig]) -> list[CameraConfig]:
    names = [camera.id for camera in cameras]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"the camera {twice[0]} is there twice: give one another id")
    return cameras


Cameras = Annotated[list[CameraConfig], Field(max_length=200), AfterValidator(_distinct)]
