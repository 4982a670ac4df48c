from __future__ import annotations

import pickle

import numpy as np
import pytest

from vrpsam_app.data import scene_pool
from vrpsam_app.data.scene_pool import SHARD_GROUPS, ScenePool, build_pool
from vrpsam_app.data.synthetic_scenes import generate_group
from vrpsam_app.errors import ConfigError, ImageFileError

FAST = ("bubbles", "look_alikes")


def build(path, count, **settings):
    wanted = {"seed": 3, "size": 32, "images": 2, "worlds": FAST} | settings
    return build_pool(path, count, **wanted)


def test_a_pool_gives_back_what_was_drawn(tmp_path):
    pool = build(tmp_path, 5)
    assert len(pool) == 5
    for index in (0, 4, -1):
        drawn = generate_group((3 << 32) + index % 5, size=32, images=2, worlds=FAST)
        read = pool[index]
        assert (read.images == drawn.images).all()
        assert (read.instances == drawn.instances).all()
        assert (read.classes == drawn.classes).all()
        assert read.instances.dtype == np.int32
        assert read.images.flags.writeable
        assert (read.world, read.class_names, read.has_instances) == (
            drawn.world,
            drawn.class_names,
            drawn.has_instances,
        )


def test_there_is_nothing_beyond_the_end(tmp_path):
    pool = build(tmp_path, 2)
    with pytest.raises(IndexError):
        pool[2]
    assert len(list(pool)) == 2


def test_a_pool_grows_and_keeps_what_it_has(tmp_path):
    build(tmp_path, SHARD_GROUPS + 1)
    first = tmp_path / "shard_000000" / "images.npy"
    before = first.stat().st_mtime_ns
    steps: list[tuple[int, int]] = []
    wanted = SHARD_GROUPS + 3
    pool = build(tmp_path, wanted, report=lambda done, all_: steps.append((done, all_)))
    assert len(pool) == wanted
    assert first.stat().st_mtime_ns == before
    assert steps == [(wanted, wanted)]
    drawn = generate_group((3 << 32) + wanted - 1, size=32, images=2, worlds=FAST)
    assert (pool[-1].images == drawn.images).all()


def test_an_interrupted_build_goes_on(tmp_path, monkeypatch):
    calls = 0

    def interrupted(*arguments, **settings):
        nonlocal calls
        calls += 1
        if calls > SHARD_GROUPS + 2:
            raise KeyboardInterrupt
        return generate_group(*arguments, **settings)

    monkeypatch.setattr(scene_pool, "generate_group", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path, SHARD_GROUPS + 4)
    assert len(ScenePool.open(tmp_path)) == SHARD_GROUPS
    (tmp_path / "shard_000001.part").mkdir()
    monkeypatch.undo()
    pool = build(tmp_path, SHARD_GROUPS + 4)
    assert len(pool) == SHARD_GROUPS + 4
    assert not list(tmp_path.glob("*.part"))


def test_several_processes_draw_the_same(tmp_path):
    one = build(tmp_path / "one", SHARD_GROUPS + 1)
    two = build(tmp_path / "two", SHARD_GROUPS + 1, workers=2)
    assert len(one) == len(two)
    for index in (0, SHARD_GROUPS - 1, SHARD_GROUPS):
        assert (one[index].images == two[index].images).all()


def test_a_pool_can_be_sent_to_another_process(tmp_path):
    pool = build(tmp_path, 2)
    pool[0]
    again = pickle.loads(pickle.dumps(pool))
    assert (again[1].images == pool[1].images).all()


@pytest.mark.parametrize(
    ("settings", "word"),
    [({"seed": 4}, "seed"), ({"size": 48}, "size"), ({"images": 3}, "images")],
)
def test_pools_are_not_mixed(tmp_path, settings, word):
    build(tmp_path, 1)
    with pytest.raises(ConfigError, match=f"another {word}"):
        build(tmp_path, 1, **settings)


def test_a_pool_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ImageFileError, match="no scene pool"):
        ScenePool.open(tmp_path)
    (tmp_path / "pool.json").write_text("{}")
    with pytest.raises(ImageFileError, match="still empty"):
        ScenePool.open(tmp_path)
