"""A call that tells how far it is, as a generator; both belong in a worker."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from typing import Any

from vrpsam_app.progress import CancelToken


def in_thread(
    work: Callable[[Callable[[Any], None]], Any], cancel: CancelToken
) -> Generator[Any, None, Any]:
    """Yield what a call tells while it works, and return what it returns.

    Parameters
    ----------
    work : called in another thread with a function that it tells things
    cancel : pressed if the generator is closed early; the call is then waited for
    """
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    outcome: list[tuple[Any, BaseException | None]] = []

    def call() -> None:
        try:
            outcome.append((work(told.put), None))
        except BaseException as error:
            outcome.append((None, error))
        finally:
            told.put(_END)

    thread = threading.Thread(target=call, name="vrpsam-work", daemon=True)
    thread.start()
    try:
        while (value := told.get()) is not _END:
            yield value
    except GeneratorExit:
        cancel.cancel()
        raise
    finally:
        thread.join()
    result, error = outcome[0]
    if error is not None:
        raise error
    return result


_END = object()
