"""Episodes ask what they claim to ask, and the same state of chance gives the same ones."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from vrpsam_app.data.synthetic_scenes import SceneGroup, generate_group
from vrpsam_app.training.batch_source import BatchPlan, SyntheticGroups, stream_batches
from vrpsam_app.training.episode_batch import EpisodeBatch
from vrpsam_app.training.episode_sampler import EpisodeMix, sample_batch


def group() -> SceneGroup:
    """Three pictures: two squares of class 1 and a stripe of class 2; the last has no class 1."""
    instances = np.zeros((3, 64, 64), np.int32)
    classes = np.zeros((3, 64, 64), np.uint8)
    for k in range(3):
        classes[k, 50:58] = 2
        instances[k, 50:58] = 3
    for k in range(2):
        for number, col in ((1, 5), (2, 35)):
            classes[k, 10:30, col : col + 20] = 1
            instances[k, 10:30, col : col + 20] = number
    images = (classes[..., None] * np.array([80, 80, 80])).astype(np.uint8)
    return SceneGroup(images, instances, classes, ("square", "stripe"), "test", (True, True))


def mix(**changes: float | tuple[tuple[str, float], ...]) -> EpisodeMix:
    """A mix in which nothing happens by chance unless asked."""
    quiet = dict.fromkeys(
        ("two_shots", "negatives", "clicks", "background", "same_image", "absent"), 0.0
    )
    return EpisodeMix(**{**quiet, **changes})


def equal(a: EpisodeBatch, b: EpisodeBatch) -> bool:
    return torch.equal(a.images, b.images) and all(
        torch.equal(x.marks, y.marks) and torch.equal(x.truth, y.truth)
        for x, y in zip(a.sets, b.sets, strict=True)
    )


@pytest.mark.parametrize("gesture", ["point", "scribble", "box", "outline"])
def test_one_instance_is_marked_and_all_are_asked_for(gesture: str) -> None:
    wanted = mix(gestures=((gesture, 1.0),), episodes=20)
    (episodes,) = sample_batch([group()], np.random.default_rng(0), wanted).sets
    classes = torch.from_numpy(group().classes.astype(np.int64))
    for k in range(len(episodes)):
        reference, target = int(episodes.reference_index[k, 0]), int(episodes.target_index[k])
        assert reference != target
        positive = episodes.marks[k, 0, 0] > 0
        marked = classes[reference][positive]
        kind = int(marked.mode().values)
        assert kind in (1, 2)
        torch.testing.assert_close(episodes.truth[k, 0] > 0, classes[target] == kind)
        if kind == 1:
            assert not (positive[:, 5:25].any() and positive[:, 36:55].any())
        assert not episodes.marks[k, 0, 1].any()


def test_a_full_mask_makes_the_rest_background() -> None:
    wanted = mix(gestures=(("mask", 1.0),), episodes=8)
    (episodes,) = sample_batch([group()], np.random.default_rng(0), wanted).sets
    positive, certain = episodes.marks[:, 0, 0], episodes.marks[:, 0, 1]
    torch.testing.assert_close(positive + certain, torch.ones_like(positive))


def test_absent_targets_have_an_empty_truth() -> None:
    wanted = mix(absent=1.0, episodes=30)
    (episodes,) = sample_batch([group()], np.random.default_rng(0), wanted).sets
    absent = episodes.present == 0
    assert absent.any()
    assert set(episodes.target_index[absent].tolist()) == {2}
    assert not episodes.truth[absent].any()


def test_two_shots_are_two_pictures() -> None:
    wanted = mix(two_shots=1.0, episodes=10)
    two = next(
        s for s in sample_batch([group()], np.random.default_rng(0), wanted).sets if s.shots == 2
    )
    assert (two.reference_index[:, 0] != two.reference_index[:, 1]).all()


def test_clicks_lie_where_their_labels_say() -> None:
    wanted = mix(clicks=1.0, episodes=12)
    (episodes,) = sample_batch([group()], np.random.default_rng(0), wanted).sets
    seen = 0
    for k in range(len(episodes)):
        for (x, y), label in zip(episodes.points_xy[k], episodes.point_labels[k], strict=True):
            if int(label) >= 0:
                assert float(episodes.truth[k, 0, int(y), int(x)]) == float(label)
                seen += 1
    assert seen > 12


def test_the_background_can_be_asked_for() -> None:
    wanted = mix(background=1.0, episodes=6)
    (episodes,) = sample_batch([group()], np.random.default_rng(0), wanted).sets
    classes = torch.from_numpy(group().classes)
    for k in range(len(episodes)):
        torch.testing.assert_close(
            episodes.truth[k, 0] > 0, classes[int(episodes.target_index[k])] == 0
        )


def test_batches_depend_on_seed_and_step_alone() -> None:
    plan = BatchPlan(sources=[(SyntheticGroups(), 1.0)], groups=1, images=2, sizes=((64, 1.0),))
    assert equal(plan.batch(3), plan.batch(3))
    assert not torch.equal(plan.batch(3).images, plan.batch(4).images)
    ahead = stream_batches(plan, 3, workers=0)
    later = stream_batches(plan, 4, workers=0)
    next(ahead)
    assert equal(next(ahead), next(later))


def test_worker_processes_give_the_same_batches() -> None:
    plan = BatchPlan(sources=[(SyntheticGroups(), 1.0)], groups=1, images=2, sizes=((64, 1.0),))
    here = stream_batches(plan, workers=0)
    there = stream_batches(plan, workers=2)
    for _ in range(3):
        assert equal(next(here), next(there))


def test_training_scenes_are_not_validation_scenes() -> None:
    drawn = SyntheticGroups().sample(np.random.default_rng(0), 64, 1)
    assert not np.array_equal(drawn.images, generate_group(0, size=64, images=1).images)


def test_foreign_targets_are_pictures_of_another_world() -> None:
    here, there = group(), dataclasses.replace(group(), world="elsewhere")
    wanted = mix(foreign=1.0, clicks=1.0, episodes=6)
    (episodes,) = sample_batch([here, there], np.random.default_rng(0), wanted).sets
    for reference, target in zip(
        episodes.reference_index[:, 0], episodes.target_index, strict=True
    ):
        assert (int(reference) < 3) != (int(target) < 3)
    assert not episodes.present.any()
    assert not episodes.truth.any()
    assert (episodes.point_labels == -1).all()


def test_without_another_world_there_is_nothing_foreign() -> None:
    wanted = mix(foreign=1.0, episodes=6)
    (episodes,) = sample_batch([group(), group()], np.random.default_rng(0), wanted).sets
    assert episodes.present.all()


def undecided() -> SceneGroup:
    """The same pictures: a strip that nobody knows, and in the last one a crowd of squares."""
    ignored = np.zeros((3, 64, 64), np.int16)
    ignored[:, 44:50] = -1
    ignored[2, :20, :20] = 1
    return dataclasses.replace(group(), ignored=ignored)


def test_undecided_pixels_are_asked_of_nobody() -> None:
    wanted = mix(gestures=(("mask", 1.0),), episodes=12)
    (episodes,) = sample_batch([undecided()], np.random.default_rng(0), wanted).sets
    assert episodes.known is not None
    assert not episodes.known[:, 0, 44:50].any()
    assert episodes.known[:, 0, 50:].all()
    positive, certain = episodes.marks[:, 0, 0], episodes.marks[:, 0, 1]
    assert not (positive + certain)[:, 44:50].any()
    assert (positive + certain)[:, 50:].all()


def test_a_crowd_is_no_absence() -> None:
    wanted = mix(absent=1.0, episodes=40)
    (episodes,) = sample_batch([undecided()], np.random.default_rng(0), wanted).sets
    assert episodes.present.all()


def test_the_background_is_what_surely_is_background() -> None:
    wanted = mix(background=1.0, episodes=6, gestures=(("mask", 1.0),))
    (episodes,) = sample_batch([undecided()], np.random.default_rng(0), wanted).sets
    for k in range(len(episodes)):
        target = int(episodes.target_index[k])
        unknown = torch.from_numpy(undecided().ignored[target] != 0)
        assert torch.equal(episodes.known[k, 0] == 0, unknown)
        assert not episodes.truth[k, 0][unknown].any()


def test_clicks_keep_off_undecided_pixels() -> None:
    wanted = mix(clicks=1.0, episodes=30)
    (episodes,) = sample_batch([undecided()], np.random.default_rng(0), wanted).sets
    for k in range(len(episodes)):
        for (x, y), label in zip(episodes.points_xy[k], episodes.point_labels[k], strict=True):
            if int(label) >= 0:
                assert float(episodes.known[k, 0, int(y), int(x)]) == 1


def test_scenes_are_known_everywhere() -> None:
    assert sample_batch([group()], np.random.default_rng(0), mix()).sets[0].known is None


def test_sets_with_and_without_a_map_go_together() -> None:
    groups = [group(), undecided()]
    (episodes,) = sample_batch(groups, np.random.default_rng(0), mix(episodes=4)).sets
    assert episodes.known[:4].all()
    assert not episodes.known[4:].flatten(1).all(1).any()


@pytest.mark.parametrize("marks", ["mask", "box", "scribble", "point"])
def test_a_mix_can_be_one_kind_of_marks(marks: str) -> None:
    assert EpisodeMix().marked(marks).gestures == ((marks, 1.0),)
    assert EpisodeMix().marked("mix") == EpisodeMix()


def test_a_batch_without_episodes_is_drawn_again() -> None:
    class Rare:
        """Shows its class in every fourth group only."""

        def sample(self, rng: np.random.Generator, size: int, images: int) -> SceneGroup:
            there = group()
            if rng.random() < 0.25:
                return there
            return dataclasses.replace(
                there,
                classes=np.zeros_like(there.classes),
                instances=np.zeros_like(there.instances),
            )

    plan = BatchPlan(sources=[(Rare(), 1.0)], groups=1, sizes=((64, 1.0),), mix=mix())
    for step in range(8):
        assert plan.batch(step).sets
        assert equal(plan.batch(step), plan.batch(step))
