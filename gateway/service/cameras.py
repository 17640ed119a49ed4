"""Recordings of cameras that a Frigate keeps: the command ``camera.export`` asks it to keep a range for good."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field

from gateway.clock import SECOND, rfc3339
from gateway.config.cameras import CameraConfig, FrigateConfig
from gateway.errors import Refused
from gateway.floor.gate.commands import Who
from gateway.floor.gate.manifest import Text, Time
from gateway.service.outgoing import Answered, post
from gateway.text import printable, validated

TIMEOUT = 15.0
"""Seconds that a Frigate may take to answer; it exports afterwards."""

LONGEST = 3600 * SECOND
"""Of one range: what is longer is no look at one change of place."""

MAX_ANSWER = 64 << 10
"""Bytes of an answer that are read."""


class _Export(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    camera: str
    start: Time
    end: Time
    by: Who
    note: Text = ""
    request: Annotated[str, Field(max_length=128)] | None = None


async def export(cameras: list[CameraConfig], args: dict[str, Any]) -> dict[str, Any]:
    """Asks the Frigate of a camera to export a range; returns its name for the export. Raises `Refused`.

    ``POST /api/export/{camera}/start/{start}/end/{end}`` of Frigate's HTTP API, times in seconds since 1970.
    """
    wanted = validated(_Export, args, "camera.export")
    frigates = {camera.id: camera.frigate for camera in cameras if camera.frigate is not None}
    frigate = frigates.get(wanted.camera)
    if frigate is None:
        known = ", ".join(sorted(frigates)) or "none"
        raise Refused(f"camera.export: no camera {printable(wanted.camera, 60)!r} has a Frigate: there are {known}")
    if not 0 < wanted.end - wanted.start <= LONGEST:
        raise Refused("camera.export: the range ends before it begins, or is longer than an hour")
    first, last = wanted.start // SECOND, -(-wanted.end // SECOND)
    url = f"{frigate.url.rstrip('/')}/api/export/{frigate.camera}/start/{first}/end/{last}"
    name = f"{wanted.camera} {rfc3339(wanted.start)[:19]} {wanted.note or wanted.by}"[:100]
    content = {"playback": "realtime", "source": "recordings", "name": name}
    answer = await asyncio.to_thread(_ask, frigate, url, orjson.dumps(content))
    return {"camera": wanted.camera, "start": rfc3339(wanted.start), "end": rfc3339(wanted.end), "export": answer}


def _ask(frigate: FrigateConfig, url: str, content: bytes) -> str:
    try:
        said = orjson.loads(post(url, content, frigate.token_file, TIMEOUT, MAX_ANSWER))
    except Answered as error:
        raise Refused(f"camera.export: Frigate refuses with status {error.status}: {error.words}") from None
    except (OSError, ValueError) as error:
        raise Refused(f"camera.export: Frigate cannot be asked ({error}): try again") from None
    if not isinstance(said, dict) or said.get("success") is not True:
        raise Refused(f"camera.export: Frigate did not begin: {printable(str(said), 200)}")
    return printable(str(said.get("export_id", "")), 100)
