"""Threads for functions that block, in resource hooks and while the program waits for a rollout."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_EXECUTOR = ThreadPoolExecutor(max_workers=8, thread_name_prefix="blocking")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs a function in a thread, because it would block the event loop that registers resources.

    Not with `asyncio.to_thread`: each registration occupies one of its few threads until the engine has created the
    resource. The engine would wait for the hook, and the hook for a thread.
    """
    return await asyncio.get_running_loop().run_in_executor(_EXECUTOR, lambda: function(*args, **kwargs))
