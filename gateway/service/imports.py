"""What a process that runs for months loads when it is first used, or never: memory that a quiet site would pay for.

Only the daemon does so. Whoever reads or tests the code meets ordinary imports.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any


class _Later(ModuleType):
    """A module that is loaded when something is wanted of it. `importlib.util.LazyLoader` makes one that the second
    import statement loads already."""

    def __getattr__(self, name: str) -> Any:
        self.__class__ = ModuleType  # type: ignore[assignment]
        assert self.__spec__ is not None
        assert self.__spec__.loader is not None
        self.__spec__.loader.exec_module(self)
        return getattr(self, name)


def later(name: str) -> None:
    """The library `name`, where it is not loaded yet, is when something of it is first used. From one thread only."""
    spec = find_spec(name) if name not in sys.modules else None
    if spec is not None:
        module = sys.modules[name] = module_from_spec(spec)
        module.__class__ = _Later


def never(name: str) -> None:
    """Whoever imports `name` finds that it is not installed, and does without."""
    sys.modules.setdefault(name, None)  # type: ignore[arg-type]
