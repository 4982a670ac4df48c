"""From groups of labelled pictures to a batch of episodes: who shows what to whom, marked how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from vrpsam_app.data.annotation_simulation import Gesture, simulate
from vrpsam_app.data.paper_marks import Marks
from vrpsam_app.data.synthetic_scenes import SceneGroup
from vrpsam_app.references import Reference
from vrpsam_app.training.episode_batch import EpisodeBatch
from vrpsam_app.training.episode_collation import MarkedEpisode, collate

MAX_CLICKS = 3
"""Clicks on the target per episode at most; fewer are padded with label -1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeMix:
    """How often what is asked.

    Attributes
    ----------
    gestures : pairs of gesture and weight
        ``point``, ``scribble``, ``box``, ``outline`` mark one instance; ``mask`` marks all.
    episodes : int
        Per group.
    two_shots, negatives, clicks, background, same_image, absent, foreign : float in [0, 1]
        Share of episodes with two references, with negative marks, with clicks on the target,
        that ask for the background, whose target is the reference itself, whose target lacks the
        object (where the group has such a picture), whose target is from another kind of scene.
    """

    gestures: tuple[tuple[Gesture, float], ...] = (
        ("point", 0.26),
        ("scribble", 0.16),
        ("box", 0.26),
        ("outline", 0.1),
        ("mask", 0.22),
    )
    episodes: int = 4
    two_shots: float = 0.2
    negatives: float = 0.15
    clicks: float = 0.15
    background: float = 0.15
    same_image: float = 0.08
    absent: float = 0.12
    foreign: float = 0.0

    def marked(self, marks: Marks) -> EpisodeMix:
        """Mark references in one way only, or in the usual mix of ways."""
        if marks == "mix":
            return self
        return replace(self, gestures=((marks, 1.0),))


def sample_batch(
    groups: Sequence[SceneGroup], rng: np.random.Generator, mix: EpisodeMix | None = None
) -> EpisodeBatch:
    """Draw episodes from groups of pictures of one size.

    Parameters
    ----------
    groups : sequence of SceneGroup
        Each with the same number and size of pictures.
    rng : numpy Generator
        All chance comes from here: equal state, equal batch.
    mix : EpisodeMix, optional

    Returns
    -------
    batch : EpisodeBatch
        One set for one-shot and one for two-shot episodes, empty sets left out.
    """
    mix = mix or EpisodeMix()
    images = np.concatenate([g.images for g in groups])  # (N, S, S, 3)
    episodes: list[MarkedEpisode] = []
    firsts = np.cumsum([0, *(len(g.images) for g in groups)])
    for group, first in zip(groups, firsts, strict=False):
        elsewhere = [
            int(start + k)
            for other, start in zip(groups, firsts, strict=False)
            if other.world != group.world
            for k in range(len(other.images))
        ]
        for _ in range(mix.episodes):
            episode = _sample_episode(group, rng, mix, int(first))
            if episode is None:
                continue
            if mix.foreign and elsewhere and rng.random() < mix.foreign:
                episode = _moved(episode, int(rng.choice(elsewhere)))
            episodes.append(episode)
    by_shots = {n: [e for e in episodes if len(e.references) == n] for n in (1, 2)}
    return EpisodeBatch(
        images=torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))),
        sets=tuple(collate(same) for same in by_shots.values() if same),
    )


def _sample_episode(
    group: SceneGroup, rng: np.random.Generator, mix: EpisodeMix, first: int
) -> MarkedEpisode | None:
    count = len(group.images)
    if rng.random() < mix.background:
        wanted = 0
    else:
        wanted = int(rng.integers(1, len(group.class_names) + 1))
    area = np.array([np.count_nonzero(group.shows(k, wanted)) for k in range(count)])
    least = 12
    showing = np.flatnonzero(area >= least)
    if not len(showing):
        return None
    shots = 2 if len(showing) > 1 and rng.random() < mix.two_shots else 1
    references = rng.choice(showing, shots, replace=False)
    lacking = np.flatnonzero((area == 0) & ~_in_a_crowd(group, wanted))
    others = np.setdiff1d(np.arange(count), references)
    if len(lacking) and rng.random() < mix.absent:
        target = int(rng.choice(lacking))
    elif rng.random() < mix.same_image or not np.isin(others, showing).any():
        target = int(references[0])
    else:
        target = int(rng.choice(np.intersect1d(others, showing)))
    weights = np.array([weight for _, weight in mix.gestures])
    gesture = mix.gestures[int(rng.choice(len(weights), p=weights / weights.sum()))][0]
    marked = tuple(_mark(group, int(r), wanted, gesture, rng, mix) for r in references)
    truth = group.shows(target, wanted)
    unknown = group.unknown(target, wanted)
    points_xy, labels = _clicks(truth, unknown, rng, mix)
    return MarkedEpisode(
        tuple(int(first + r) for r in references),
        first + target,
        marked,
        truth,
        unknown,
        points_xy,
        labels,
    )


def _in_a_crowd(group: SceneGroup, wanted: int) -> NDArray[np.bool_]:
    """Tell which pictures show a class without labels of its own, (N,)."""
    if group.ignored is None or wanted == 0:
        return np.zeros(len(group.images), np.bool_)
    crowded: NDArray[np.bool_] = (group.ignored == wanted).any((1, 2))
    return crowded


def _moved(episode: MarkedEpisode, target: int) -> MarkedEpisode:
    """Ask for the same thing in a picture of another world, where it is not."""
    return replace(
        episode,
        target=target,
        truth=np.zeros_like(episode.truth),
        unknown=None,
        points_xy=np.zeros_like(episode.points_xy),
        point_labels=np.full_like(episode.point_labels, -1),
    )


def _mark(
    group: SceneGroup,
    image: int,
    wanted: int,
    gesture: Gesture,
    rng: np.random.Generator,
    mix: EpisodeMix,
) -> Reference:
    """Annotate one reference as a person would."""
    whole = group.shows(image, wanted)
    unknown = group.unknown(image, wanted)
    outside = ~whole if unknown is None else ~(whole | unknown)
    numbered = bool(wanted) and group.has_instances[wanted - 1]
    objects = group.instances[image] * whole if numbered else whole
    marks = simulate(
        rng,
        gesture,
        objects if objects.any() else whole,
        not_this=outside,
        negatives=int(rng.integers(1, 3)) if rng.random() < mix.negatives else 0,
    )
    # With unknown pixels, what is known not to be the class is said pixel by pixel.
    said = marks.exhaustive and unknown is not None
    return Reference(
        image=group.images[image],
        positive=marks.positive,
        negative=outside if said else marks.negative,
        kind=marks.kind,
        exhaustive=marks.exhaustive and not said,
    )


def _clicks(
    truth: NDArray[np.bool_],
    unknown: NDArray[np.bool_] | None,
    rng: np.random.Generator,
    mix: EpisodeMix,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Draw clicks on the target as SAM's own prompts; padding has label -1."""
    points = np.zeros((MAX_CLICKS, 2), np.float32)
    labels = np.full(MAX_CLICKS, -1, np.int64)
    if rng.random() >= mix.clicks:
        return points, labels
    outside = ~truth if unknown is None else ~(truth | unknown)
    for k in range(int(rng.integers(1, MAX_CLICKS + 1))):
        inside = rng.random() < 0.7
        rows, cols = np.nonzero(truth if inside else outside)
        if not len(rows):
            continue
        pick = rng.integers(len(rows))
        points[k] = cols[pick] + 0.5, rows[pick] + 0.5
        labels[k] = int(inside)
    return points, labels
