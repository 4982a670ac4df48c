"""Work handed to the workers of dask.distributed: on this machine, or on many.

The model goes to each worker once, and with it the references. A worker does one thing at a time;
where workers offer a resource ``GPU``, each task takes one. What a lost worker was doing is done by
another.
"""

from __future__ import annotations

import logging
import os
import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from vrpsam_app.errors import ConfigError, DeviceError, MissingExtraError

if TYPE_CHECKING:
    from distributed import Client as Client  # for those who pass one on
    from distributed import Future

T = TypeVar("T")
R = TypeVar("R")

RETRIES = 2
"""How often a task that failed is tried again, on any worker."""
LOST_DATA_RETRIES = 3
"""How often all is sent again because the last worker that held the model was lost."""
TASKS_PER_WORKER = 3
"""Tasks that wait at each worker, so that none is idle."""


@contextmanager
def connect(scheduler: str | None = None, workers: int | None = None) -> Iterator[Client]:
    """Connect to a cluster, or start one on this machine for as long as it is needed.

    Parameters
    ----------
    scheduler : address of a running scheduler, such as ``tcp://10.0.0.5:8786``
    workers : processes to start here instead; each gets its share of the cores, and on a machine
        with CUDA devices a device of its own

    Raises
    ------
    MissingExtraError
        If dask.distributed is not installed.
    ConfigError
        If both or neither are given, there are fewer CUDA devices than workers, or the scheduler
        does not answer or has no workers.
    """
    if (scheduler is None) == (workers is None):
        raise ConfigError("Give either the address of a scheduler or a number of workers.")
    try:
        import distributed
    except ImportError as error:
        raise MissingExtraError(
            "Work on several workers needs dask.distributed, which is not installed. Run: "
            'pip install "vrpsam-app[cluster]".'
        ) from error
    if scheduler is None:
        with (
            distributed.SpecCluster(**_local_workers(workers or 0)) as cluster,
            distributed.Client(cluster) as client,
        ):
            client.wait_for_workers(workers or 0, timeout=120)
            keep_copies(client)
            _prepare(client)
            yield client
        return
    try:
        client = distributed.Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"The scheduler {scheduler} does not answer ({error}). Start it with: dask scheduler."
        ) from error
    with client:
        if not client.scheduler_info()["workers"]:
            raise ConfigError(
                f"The scheduler {scheduler} has no workers. Start some with: dask worker "
                f"{scheduler} --nthreads 1."
            )
        _prepare(client)
        yield client


def keep_copies(client: Client) -> None:
    """Let each worker of a cluster of our own keep its copy of the model.

    The memory manager would take away all copies but one whenever no task waits for them, and with
    a copy what its model keeps of pictures.
    """
    client.amm.stop()


def _prepare(client: Client) -> None:
    """Let workers, those that come later too, import torchvision before a model reaches them.

    A model is put together again by importing segment-anything, which imports torchvision, whose
    compiled part may not fit (:mod:`vrpsam_app.models.torchvision_ops`).
    """
    import distributed

    class Prepared(distributed.WorkerPlugin):
        name = "vrpsam-torchvision"

        def setup(self, worker: object) -> None:
            from vrpsam_app.models.torchvision_ops import import_torchvision

            import_torchvision()

    client.register_plugin(Prepared())


def map_on(
    client: Client,
    function: Callable[[Any, T], R],
    shared: Any,
    items: Iterable[T],
    *,
    describe: Callable[[T], str] = str,
) -> Iterator[tuple[T, R]]:
    """Yield ``function(shared, item)`` of every item, in order, worked out by a cluster.

    Parameters
    ----------
    client : of the cluster
    function : that workers can import
    shared : sent to each worker once
    items : taken as workers become free, so that they may be many and large
    describe : how messages call an item

    Raises
    ------
    DeviceError
        If workers are lost again and again.
    Exception
        What the function raises, after it was tried again.
    """
    import distributed

    resources = _resources(client)
    pending: deque[tuple[T, Future[R]]] = deque()
    everywhere = client.scatter(shared, broadcast=True, hash=False)

    def submit(item: T) -> Future[R]:
        return client.submit(
            function, everywhere, item, pure=False, retries=RETRIES, resources=resources
        )

    def limit() -> int:
        return max(2, TASKS_PER_WORKER * len(client.scheduler_info()["workers"]))

    losses = 0
    waiting = iter(items)
    try:
        while True:
            while len(pending) < limit():
                try:
                    item = next(waiting)
                except StopIteration:
                    break
                pending.append((item, submit(item)))
            if not pending:
                return
            item, future = pending[0]
            try:
                result = future.result()
            except distributed.KilledWorker as error:
                raise DeviceError(
                    f"{describe(item)}: the workers that were asked died one after the other. Give "
                    "each more memory, or start fewer on a machine."
                ) from error
            except distributed.CancelledError as error:
                # The worker that held the only copy of the model is gone.
                losses += 1
                if losses > LOST_DATA_RETRIES:
                    raise DeviceError(
                        f"{describe(item)}: all workers were lost {losses} times. Look at their "
                        "logs."
                    ) from error
                client.wait_for_workers(1, timeout=120)
                everywhere = client.scatter(shared, broadcast=True, hash=False)
                pending = deque((other, submit(other)) for other, _ in pending)
                continue
            pending.popleft()
            yield item, result
    finally:
        client.cancel([future for _, future in pending], force=True)


def travels(value: Any) -> bool:
    """Tell whether a value is small enough to be sent to a worker as it is.

    A lazy plane of a file is; one whose pixels are in memory here is not, and is read here.
    """
    try:
        import cloudpickle

        return len(cloudpickle.dumps(value)) < 2**20
    except (ImportError, TypeError, pickle.PicklingError):
        return False


def _resources(client: Client) -> dict[str, int] | None:
    workers = client.scheduler_info()["workers"].values()
    offered = any(worker.get("resources", {}).get("GPU") for worker in workers)
    return {"GPU": 1} if offered else None


def _local_workers(count: int) -> dict[str, Any]:
    """Return what SpecCluster needs for workers of one thread, each with its share of the machine.

    Raises
    ------
    ConfigError
        If there are fewer CUDA devices than workers, or no worker is asked for.
    """
    import distributed

    if count < 1:
        raise ConfigError(f"{count} workers were asked for: expected at least 1.")
    import torch

    devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if devices and count > devices:
        raise ConfigError(
            f"{count} workers were asked for: expected 1 to {devices}, one for each CUDA device."
        )
    # Nobody else on the network is to talk to these processes, and nobody reads their pages.
    private = {"host": "127.0.0.1", "dashboard": False}
    threads = str(max(1, (os.cpu_count() or 1) // count))

    def worker(number: int) -> dict[str, Any]:
        env = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        if devices:
            env["CUDA_VISIBLE_DEVICES"] = str(number)
        options = {**private, "nthreads": 1, "env": env, "silence_logs": logging.ERROR}
        return {"cls": distributed.Nanny, "options": options}

    return {
        "workers": {number: worker(number) for number in range(count)},
        "scheduler": {"cls": distributed.Scheduler, "options": private},
        "silence_logs": logging.ERROR,
    }
