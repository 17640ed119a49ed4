"""Several coroutines at once, as one."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def run_together(*work: Coroutine[Any, Any, object]) -> None:
    """Runs coroutines at once until all have ended, or one fails: the others are cancelled then, and what failed is
    raised as a `BaseExceptionGroup`. Where the running task is cancelled meanwhile, CancelledError is raised, whatever
    else fails.

    A `TaskGroup` alone raises a failure in place of the cancellation where both come together, and a loop that then
    tries again is never stopped. The wait stands in the body of the group, because Python 3.11 cancels the task that
    runs the group at the first failure, and takes that back only while the body runs.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
            if tasks:
                await asyncio.wait(tasks)
    except BaseExceptionGroup:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError from None
        raise


async def to_its_end(work: Coroutine[Any, Any, None], seconds: float) -> None:
    """Waits for a coroutine that must not be left half done. Where the running task is cancelled meanwhile, it is given
    so many seconds more to end, and CancelledError is raised after that."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=seconds)
        task.cancel()
        raise


def loop_time() -> float:
    """The clock of the running event loop, in seconds."""
    return asyncio.get_running_loop().time()
