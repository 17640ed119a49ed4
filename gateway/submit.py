"""What a source of commands is given to hand them on with: the folders, the Metrc API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

Submit: TypeAlias = Callable[[str, dict[str, Any]], Awaitable[Any]]
"""Takes a command (name, arguments) to where all commands go. Raises `Refused` where it is not accepted."""
