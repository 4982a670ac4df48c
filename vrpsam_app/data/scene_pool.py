"""Scene groups drawn once and kept on disk, so that training does not wait for drawing."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Collection
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.data.synthetic_scenes import SceneGroup, generate_group
from vrpsam_app.errors import ConfigError, ImageFileError

# Groups in one shard: what is lost at most when a build is interrupted.
SHARD_GROUPS = 32
_LAYOUT = 1


def build_pool(
    path: str | Path,
    count: int,
    seed: int,
    size: int = 192,
    workers: int = 1,
    *,
    images: int = 3,
    worlds: Collection[str] | None = None,
    report: Callable[[int, int], None] | None = None,
) -> ScenePool:
    """Draw groups and write them; what is already there is kept.

    A shard appears under its name only when it is complete, so an interrupted build goes on where
    it stopped, and a pool can be read while it grows. Only one process may build a pool at a time.

    Parameters
    ----------
    path : folder of the pool, made if needed
    count : number of groups wanted
    seed : of the pool; group number i is the same however many follow
    size : side of the pictures in pixels
    workers : processes to use; with 1 nothing is started
    images : pictures in a group
    worlds : worlds to choose from, all by default
    report : called with (groups done, groups wanted) after each shard

    Raises
    ------
    ConfigError
        If the folder holds a pool of another seed, size, number of pictures or choice of worlds.
    """
    root = Path(path)
    root.mkdir(parents=True, exist_ok=True)
    _store_settings(root, seed, size, images, worlds)
    for left_over in root.glob("shard_*.part"):
        shutil.rmtree(left_over)
    jobs: list[tuple[Any, ...]] = []
    done = 0
    for first in range(0, count, SHARD_GROUPS):
        folder = root / f"shard_{first // SHARD_GROUPS:06d}"
        wanted = min(SHARD_GROUPS, count - first)
        if _groups_in(folder) >= wanted:
            done += wanted
            continue
        names = None if worlds is None else tuple(sorted(worlds))
        jobs.append((folder, seed, first, wanted, size, images, names))
    if workers <= 1 or len(jobs) <= 1:
        for job in jobs:
            done += _draw_shard(*job)
            if report is not None:
                report(done, count)
        return ScenePool.open(root)
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(_draw_shard, *job) for job in jobs]):
            done += future.result()
            if report is not None:
                report(done, count)
    return ScenePool.open(root)


class ScenePool:
    """Groups on disk, read through memory maps; ``pool[i]`` is a `SceneGroup`."""

    def __init__(self, path: Path, shards: tuple[Path, ...], lengths: tuple[int, ...]) -> None:
        self.path = path
        self._shards = shards
        self._ends = np.cumsum(lengths)
        self._open: dict[int, tuple[NDArray[Any], NDArray[Any], NDArray[Any], list[Any]]] = {}

    @classmethod
    def open(cls, path: str | Path) -> ScenePool:
        """Open the complete shards of a pool.

        Raises
        ------
        ImageFileError
            If there is no pool, or no shard of it is complete yet.
        """
        root = Path(path)
        if not (root / "pool.json").is_file():
            raise ImageFileError(f"{root} holds no scene pool: make one with build_pool.")
        shards = tuple(sorted(p for p in root.glob("shard_*") if p.suffix != ".part"))
        lengths = tuple(_groups_in(shard) for shard in shards)
        if not sum(lengths):
            raise ImageFileError(f"The scene pool {root} is still empty: finish build_pool first.")
        return cls(root, shards, lengths)

    def __len__(self) -> int:
        """Count the groups."""
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> SceneGroup:
        """Read group number `index` into memory."""
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"Group {index} of a pool of {len(self)}.")
        number = int(np.searchsorted(self._ends, position, side="right"))
        images, instances, classes, entries = self._shard(number)
        inside = position - (int(self._ends[number - 1]) if number else 0)
        entry = entries[inside]
        return SceneGroup(
            images=np.array(images[inside]),
            instances=instances[inside].astype(np.int32),
            classes=np.array(classes[inside]),
            class_names=tuple(entry["class_names"]),
            world=entry["world"],
            has_instances=tuple(entry["has_instances"]),
        )

    def __getstate__(self) -> dict[str, Any]:
        """Leave the memory maps behind when the pool is sent to another process."""
        return self.__dict__ | {"_open": {}}

    def _shard(self, number: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], list[Any]]:
        if number not in self._open:
            folder = self._shards[number]
            images, instances, classes = (
                np.load(folder / f"{part}.npy", mmap_mode="r")
                for part in ("images", "instances", "classes")
            )
            entries = json.loads((folder / "groups.json").read_text(encoding="utf-8"))
            self._open[number] = (images, instances, classes, entries)
        return self._open[number]


def _draw_shard(
    folder: Path,
    seed: int,
    first: int,
    count: int,
    size: int,
    images: int,
    worlds: tuple[str, ...] | None,
) -> int:
    """Draw one shard beside its place and move it there when it is complete."""
    # The pool's seed stands in the high bits, so pools of different seeds share no group.
    groups = [
        generate_group((seed << 32) + first + i, size=size, images=images, worlds=worlds)
        for i in range(count)
    ]
    part = folder.with_suffix(".part")
    part.mkdir()
    np.save(part / "images.npy", np.stack([g.images for g in groups]))
    np.save(part / "instances.npy", np.stack([g.instances for g in groups]).astype(np.uint16))
    np.save(part / "classes.npy", np.stack([g.classes for g in groups]))
    entries = [
        {"world": g.world, "class_names": g.class_names, "has_instances": g.has_instances}
        for g in groups
    ]
    (part / "groups.json").write_text(json.dumps(entries), encoding="utf-8")
    if folder.exists():
        # A shorter last shard, from when the pool was smaller.
        shutil.rmtree(folder)
    os.replace(part, folder)
    return count


def _groups_in(folder: Path) -> int:
    listing = folder / "groups.json"
    return len(json.loads(listing.read_text(encoding="utf-8"))) if listing.is_file() else 0


def _store_settings(
    root: Path, seed: int, size: int, images: int, worlds: Collection[str] | None
) -> None:
    settings = {
        "layout": _LAYOUT,
        "seed": seed,
        "size": size,
        "images": images,
        "worlds": None if worlds is None else sorted(worlds),
    }
    path = root / "pool.json"
    if path.is_file():
        there = json.loads(path.read_text(encoding="utf-8"))
        if there != settings:
            differing = [key for key in settings if there.get(key) != settings[key]]
            raise ConfigError(
                f"{root} already holds a pool with another {', '.join(differing)}: "
                "choose another folder, or remove this one."
            )
        return
    beside = path.with_suffix(".json.part")
    beside.write_text(json.dumps(settings, indent=1), encoding="utf-8")
    os.replace(beside, path)
