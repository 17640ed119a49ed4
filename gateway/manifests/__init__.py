"""Where manifests come from: files in a folder, and the Metrc API. Each ends as the command `manifest`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Submit = Callable[[str, dict[str, Any]], Awaitable[Any]]
"""Takes a command (name, arguments) to where all commands go. Raises `Refused` where it is not accepted."""
