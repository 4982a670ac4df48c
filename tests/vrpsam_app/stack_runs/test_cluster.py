"""The same work on workers: once to each, complete whoever dies."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from distributed import Client, LocalCluster, get_worker

from vrpsam_app.annotations import Box
from vrpsam_app.batch import segment_files
from vrpsam_app.errors import ConfigError, ImageError, MissingExtraError
from vrpsam_app.image_files import write_image
from vrpsam_app.methods.tuned_threshold import TunedThreshold
from vrpsam_app.output_paths import plan_outputs
from vrpsam_app.progress import Progress
from vrpsam_app.references import Reference
from vrpsam_app.stack_runs import cluster
from vrpsam_app.stack_runs.lazy_result import predict_stack
from vrpsam_app.stack_runs.run import segment_stack
from vrpsam_app.tiles.plan import TileOptions


class Shared:
    """Counts how often it arrives at a worker."""

    arrived = 0

    def __setstate__(self, state: dict[str, Any]) -> None:
        Shared.arrived += 1


def double(shared: object, item: int) -> int:
    return 2 * item


def refuse(shared: object, item: int) -> int:
    raise ImageError(f"no {item}")


@pytest.fixture
def client() -> Iterator[Client]:
    """Workers as threads of this process: what they are given is pickled all the same."""
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0",
            protocol="tcp", host="127.0.0.1",
        ) as local,
        Client(local) as connected,
    ):  # fmt: skip
        cluster.keep_copies(connected)
        yield connected


def movie() -> np.ndarray:
    values = np.random.default_rng(0).integers(0, 40, (9, 60, 70)).astype(np.uint8)
    values[:, 20:40, 10:30] += 150
    return values


def reference() -> Reference:
    return Reference.from_annotations(movie()[2], [Box(20, 10, 40, 30)], exhaustive=True)


def test_answers_come_in_order_and_items_are_taken_as_they_are_needed(client: Client):
    taken = []

    def items() -> Iterator[int]:
        for i in range(30):
            taken.append(i)
            yield i

    answers = cluster.map_on(client, double, None, items())
    assert next(answers) == (0, 0)
    assert len(taken) <= 2 * cluster.TASKS_PER_WORKER + 1
    assert list(answers) == [(i, 2 * i) for i in range(1, 30)]


def test_what_fails_on_a_worker_fails_here(client: Client):
    with pytest.raises(ImageError, match="no 1"):
        list(cluster.map_on(client, refuse, None, [1]))


def test_a_stack_and_a_folder_on_workers_are_the_same(client: Client, tmp_path: Path):
    values, marked = movie(), reference()
    tiles = TileOptions("tiles", tile=32, overlap=8)
    for name, source, tiling in (
        ("whole", values, "whole"),
        ("lazy", da.from_array(values, chunks=(2, 30, 70)), "whole"),
        ("tiles", values, tiles),
    ):
        for place, where in (("here", None), ("there", client)):
            told: list[Progress] = []
            folder = tmp_path / name / place
            folder.mkdir(parents=True)
            segment_stack(
                TunedThreshold(), source, marked, folder / "r.zarr", tiling=tiling, client=where,
                progress=told.append,
            )  # fmt: skip
            assert told[-1].done == told[-1].total
        stored = [zarr.open_array(tmp_path / name / p / "r.zarr")[:] for p in ("here", "there")]
        np.testing.assert_array_equal(*stored)
        tables = [(tmp_path / name / p / "r_planes.csv").read_bytes() for p in ("here", "there")]
        assert tables[0] == tables[1]
    whole = zarr.open_array(tmp_path / "whole" / "here" / "r.zarr")[:]
    lazy = predict_stack(TunedThreshold(), values, marked, tiling="whole")
    np.testing.assert_array_equal(lazy.compute(), whole)

    pictures = [write_image(tmp_path / f"{i}.png", values[i]) for i in range(3)]
    (tmp_path / "1.png").write_bytes(b"broken")
    plan = plan_outputs(pictures, tmp_path, ["object"])
    results = list(segment_files(TunedThreshold(), [marked], plan, client=client))
    assert [r.error is None for r in results] == [True, False, True]
    np.testing.assert_array_equal(results[2].predictions[0].mask, whole[2] == 1)


def test_the_model_goes_to_each_worker_once(client: Client):
    seen = list(cluster.map_on(client, worker_of, TunedThreshold(), range(12)))
    held: dict[str, set[int]] = {}
    for _, (name, identity) in seen:
        held.setdefault(name, set()).add(identity)
    assert all(len(identities) == 1 for identities in held.values())


def worker_of(shared: object, item: int) -> tuple[str, int]:
    return str(get_worker().name), id(shared)


def test_what_is_in_memory_does_not_travel_by_itself():
    values = np.random.default_rng(0).normal(size=(500, 500))
    assert not cluster.travels(da.from_array(values))
    assert cluster.travels(da.zeros((10_000, 10_000), chunks=1000))


@pytest.mark.parametrize(("scheduler", "workers"), [(None, None), ("tcp://127.0.0.1:1", 2)])
def test_one_of_both(scheduler: str | None, workers: int | None):
    with pytest.raises(ConfigError, match="Give either"), cluster.connect(scheduler, workers):
        pass


def test_no_workers_are_too_few():
    with pytest.raises(ConfigError, match="expected at least 1"), cluster.connect(workers=0):
        pass


def test_without_distributed_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(MissingExtraError, match=r"vrpsam-app\[cluster\]"),
        cluster.connect(workers=1),
    ):
        pass


@pytest.mark.slow
def test_of_two_workers_one_is_killed_and_nothing_is_missing(tmp_path: Path):
    values, marked = movie(), reference()
    segment_stack(TunedThreshold(), values, marked, tmp_path / "here.zarr")
    with cluster.connect(workers=2) as client:
        pids = list(client.run(os.getpid).values())

        def kill(progress: Progress) -> None:
            if progress.done == 3:
                os.kill(pids[0], signal.SIGKILL)

        result = segment_stack(
            TunedThreshold(), values, marked, tmp_path / "there.zarr", client=client, progress=kill
        )
    assert result.asked == 9
    stored = [zarr.open_array(tmp_path / f"{place}.zarr")[:] for place in ("here", "there")]
    np.testing.assert_array_equal(*stored)


@pytest.mark.slow
def test_the_embedded_model_works_on_a_worker(tmp_path: Path):
    from vrpsam_app.predictor import VRPSAMPredictor

    values = np.full((2, 64, 80), 60, np.uint8)
    values[:, 20:40, 30:60] = 200
    marked = Reference.from_annotations(values[0], [Box(20, 30, 40, 60)])
    predictor = VRPSAMPredictor.from_pretrained(device="cpu")
    with cluster.connect(workers=1) as client:
        segment_stack(predictor, values, marked, tmp_path / "there.zarr", client=client)
    segment_stack(predictor, values, marked, tmp_path / "here.zarr")
    stored = [zarr.open_array(tmp_path / f"{place}.zarr")[:] for place in ("here", "there")]
    assert stored[0].any()
    assert (stored[0] != stored[1]).mean() < 1e-4
