"""A call that tells how far it is, as a generator; both belong in a worker."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any

from vrpsam_app.progress import CancelToken

# What may lie untaken: a plane or two of a large stack, each with its progress.
_WAITING = 4
# How long the call waits for room between two looks whether anybody still listens, in seconds.
_LOOK = 0.05


def in_thread(
    work: Callable[[Callable[[Any], None]], Any], cancel: CancelToken
) -> Generator[Any, None, Any]:
    """Yield what a call tells while it works, and return what it returns.

    Parameters
    ----------
    work : called in another thread with a function that it tells things
        A call that tells faster than its things are taken waits, so that nothing piles up.
    cancel : pressed if the generator is closed early; the call is then waited for
    """
    told: queue.Queue[Any] = queue.Queue(_WAITING)
    left = threading.Event()
    outcome: list[tuple[Any, BaseException | None]] = []

    def tell(value: Any) -> None:
        while not left.is_set():
            with suppress(queue.Full):
                told.put(value, timeout=_LOOK)
                return

    def call() -> None:
        try:
            outcome.append((work(tell), None))
        except BaseException as error:
            outcome.append((None, error))
        finally:
            tell(_END)

    thread = threading.Thread(target=call, name="vrpsam-work", daemon=True)
    thread.start()
    try:
        while (value := told.get()) is not _END:
            yield value
    except GeneratorExit:
        cancel.cancel()
        raise
    finally:
        left.set()
        thread.join()
    result, error = outcome[0]
    if error is not None:
        raise error
    return result


_END = object()
