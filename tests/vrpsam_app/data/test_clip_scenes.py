from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.data.clip_scenes import CLIP_KINDS, ClipKind, clip_scene
from vrpsam_app.errors import ConfigError

EXPECTED = {"plain": 1, "changing": 1, "occlusion": 1, "look_alike": 1, "return": 1, "several": 3}


@pytest.fixture(scope="module", params=CLIP_KINDS)
def kind(request: pytest.FixtureRequest) -> ClipKind:
    return request.param


def test_every_object_is_in_the_first_frame(kind: ClipKind):
    clip = clip_scene(kind, frames=16, side=80, seed=3)
    assert clip.frames.shape == (16, 80, 80, 3)
    assert clip.frames.dtype == np.uint8
    assert clip.labels.shape == (16, 80, 80)
    assert clip.objects == tuple(range(1, EXPECTED[kind] + 1))
    assert np.isin(clip.labels, [0, *clip.objects]).all()


def test_the_same_seed_gives_the_same_clip(kind: ClipKind):
    one, same, other = (clip_scene(kind, frames=8, side=48, seed=s) for s in (5, 5, 6))
    assert np.array_equal(one.frames, same.frames)
    assert not np.array_equal(one.frames, other.frames)


@pytest.mark.parametrize(("kind", "label"), [("occlusion", 1), ("return", 1), ("several", 3)])
def test_objects_go_and_come_back(kind: ClipKind, label: int):
    for seed in range(3):
        seen = (clip_scene(kind, frames=24, side=80, seed=seed).labels == label).any((1, 2))
        assert seen[0]
        assert seen[-1]
        assert 2 <= (~seen).sum() <= 12


def test_what_changes_looks_otherwise_in_the_end():
    clip = clip_scene("changing", frames=8, side=160, seed=0)
    seen = [clip.labels[i] == 1 for i in (0, -1)]
    first, last = (clip.frames[i][mask].mean(0) for i, mask in zip((0, -1), seen, strict=True))
    assert np.abs(first - last).max() > 40
    assert seen[1].sum() > 1.5 * seen[0].sum()


def test_look_alikes_look_alike():
    clip = clip_scene("several", frames=8, side=160, seed=0)
    colours = [clip.frames[0][clip.labels[0] == n].mean(0) for n in (1, 2, 3)]
    assert np.abs(colours[0] - colours[1]).max() < 12
    assert np.abs(colours[0] - colours[2]).max() > 25


@pytest.mark.parametrize(
    ("kind", "settings"), [("other", {}), ("plain", {"frames": 4}), ("plain", {"side": 20})]
)
def test_senseless_clips_are_refused(kind: ClipKind, settings: dict[str, int]):
    with pytest.raises(ConfigError, match="expected"):
        clip_scene(kind, **settings)
