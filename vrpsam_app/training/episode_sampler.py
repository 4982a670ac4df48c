"""From groups of labelled pictures to a batch of episodes: who shows what to whom, marked how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from vrpsam_app.data.annotation_simulation import Gesture, simulate
from vrpsam_app.data.synthetic_scenes import SceneGroup
from vrpsam_app.references import Reference
from vrpsam_app.training.episode_batch import EpisodeBatch, EpisodeSet

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


@dataclass(frozen=True, slots=True, eq=False)
class _Episode:
    references: tuple[int, ...]
    target: int
    marked: tuple[Reference, ...]
    truth: NDArray[np.bool_]
    points_xy: NDArray[np.float32]
    point_labels: NDArray[np.int64]


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
    episodes: list[_Episode] = []
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
        sets=tuple(_collate(same) for same in by_shots.values() if same),
    )


def _sample_episode(
    group: SceneGroup, rng: np.random.Generator, mix: EpisodeMix, first: int
) -> _Episode | None:
    count = len(group.images)
    if rng.random() < mix.background:
        wanted = 0
    else:
        wanted = int(rng.integers(1, len(group.class_names) + 1))
    area = np.array([np.count_nonzero(c == wanted) for c in group.classes])
    least = 12
    showing = np.flatnonzero(area >= least)
    if not len(showing):
        return None
    shots = 2 if len(showing) > 1 and rng.random() < mix.two_shots else 1
    references = rng.choice(showing, shots, replace=False)
    lacking = np.flatnonzero(area == 0)
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
    truth = group.classes[target] == wanted
    points_xy, labels = _clicks(truth, rng, mix)
    return _Episode(
        tuple(int(first + r) for r in references), first + target, marked, truth, points_xy, labels
    )


def _moved(episode: _Episode, target: int) -> _Episode:
    """Ask for the same thing in a picture of another world, where it is not."""
    return replace(
        episode,
        target=target,
        truth=np.zeros_like(episode.truth),
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
    whole = group.classes[image] == wanted
    numbered = bool(wanted) and group.has_instances[wanted - 1]
    objects = group.instances[image] * whole if numbered else whole
    marks = simulate(
        rng,
        gesture,
        objects if objects.any() else whole,
        not_this=~whole,
        negatives=int(rng.integers(1, 3)) if rng.random() < mix.negatives else 0,
    )
    return Reference(
        image=group.images[image],
        positive=marks.positive,
        negative=marks.negative,
        kind=marks.kind,
        exhaustive=marks.exhaustive,
    )


def _maps(reference: Reference) -> NDArray[np.bool_]:
    """Return what a reference says of each pixel: object, certain, weak background (3, S, S)."""
    background = reference.known_background()
    return np.stack([reference.positive, background.certain, background.weak])


def _clicks(
    truth: NDArray[np.bool_], rng: np.random.Generator, mix: EpisodeMix
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Draw clicks on the target as SAM's own prompts; padding has label -1."""
    points = np.zeros((MAX_CLICKS, 2), np.float32)
    labels = np.full(MAX_CLICKS, -1, np.int64)
    if rng.random() >= mix.clicks:
        return points, labels
    for k in range(int(rng.integers(1, MAX_CLICKS + 1))):
        inside = rng.random() < 0.7
        rows, cols = np.nonzero(truth if inside else ~truth)
        if not len(rows):
            continue
        pick = rng.integers(len(rows))
        points[k] = cols[pick] + 0.5, rows[pick] + 0.5
        labels[k] = int(inside)
    return points, labels


def _collate(episodes: list[_Episode]) -> EpisodeSet:
    marks = np.stack([np.stack([_maps(r) for r in e.marked]) for e in episodes])
    truth = np.stack([e.truth for e in episodes])[:, None]
    return EpisodeSet(
        reference_index=torch.tensor([e.references for e in episodes]),
        target_index=torch.tensor([e.target for e in episodes]),
        marks=torch.from_numpy(marks.astype(np.float32)),
        is_box=torch.tensor([[r.kind == "box" for r in e.marked] for e in episodes]),
        truth=torch.from_numpy(truth.astype(np.float32)),
        present=torch.from_numpy(truth.any((1, 2, 3)).astype(np.float32)),
        points_xy=torch.from_numpy(np.stack([e.points_xy for e in episodes])),
        point_labels=torch.from_numpy(np.stack([e.point_labels for e in episodes])),
    )
