"""Drawn clips with their truth: objects that change, hide, meet look-alikes, leave and return."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vrpsam_app.data.scene_shapes import ShapeFamily, ShapeKind, polygon_patch, random_family
from vrpsam_app.data.scene_textures import FloatArray, distinct_colour, random_texture
from vrpsam_app.errors import ConfigError

ClipKind = Literal["plain", "changing", "occlusion", "look_alike", "return", "several"]
CLIP_KINDS: tuple[ClipKind, ...] = get_args(ClipKind)

Place = tuple[float, float]
Path = Callable[[float], Place]
"""Where a centre is, (x, y) as shares of the frame's side, at a time from 0 to 1."""

SMALLEST_SIDE, FEWEST_FRAMES = 48, 8
_OBJECT_SHAPES: tuple[ShapeKind, ...] = ("blob", "gear", "star", "polygon", "leaf", "cross")


@dataclass(frozen=True, slots=True, eq=False)
class ClipScene:
    """A clip and what is in it.

    Attributes
    ----------
    frames : shape (T, S, S, 3), uint8
    labels : shape (T, S, S), int32
        Number of the object that is seen; 0 elsewhere, on look-alikes and on what hides objects.
    kind : what happens
    """

    frames: NDArray[np.uint8]
    labels: NDArray[np.int32]
    kind: ClipKind

    @property
    def objects(self) -> tuple[int, ...]:
        """Numbers of the objects, all of which are in the first frame."""
        return tuple(int(n) for n in np.unique(self.labels[0]) if n)


@dataclass(frozen=True, slots=True, eq=False)
class _Actor:
    """Something that moves: an outline and its surface, on a path; label 0 is no object."""

    label: int
    family: ShapeFamily
    radius: float
    surface: FloatArray
    outline_seed: int
    path: Path
    spin: float = 0.0
    later_surface: FloatArray | None = None
    growth: float = 0.0

    def draw(self, rgb: FloatArray, labels: NDArray[np.int32], time: float) -> None:
        """Paint the actor over what is there."""
        size = len(rgb)
        x, y = self.path(time)
        centre = np.array([x, y]) * size
        radius = self.radius * size * (1 + self.growth * time)
        rng = np.random.default_rng(self.outline_seed)
        outline = self.family.outline(rng, radius, self.spin * time)
        patch = polygon_patch(outline + centre, size)
        if patch is None:
            return
        # The surface moves along: its middle lies on the centre.
        shift = np.rint(centre[::-1] - size / 2).astype(int)
        surface = self.surface
        if self.later_surface is not None:
            surface = surface + np.float32(time) * (self.later_surface - surface)
        moved = np.roll(surface, tuple(shift), axis=(0, 1))[patch.window]
        amount = patch.coverage[..., None]
        rgb[patch.window] += amount * (moved - rgb[patch.window])
        labels[patch.window][patch.label] = self.label


@dataclass(slots=True)
class _Stage:
    """Draws what every actor looks like, so that no two kinds look alike by chance."""

    rng: np.random.Generator
    size: int
    colours: list[FloatArray] = field(default_factory=list)

    def actor(self, label: int, path: Path, *, radius: float = 0.13) -> _Actor:
        """Make an actor of its own kind."""
        colour = distinct_colour(self.rng, self.colours, 0.45)
        self.colours.append(colour)
        texture = random_texture(
            self.rng, colour=colour, contrast=0.15, period=(0.05 * self.size, 0.15 * self.size)
        )
        return _Actor(
            label,
            random_family(self.rng, _OBJECT_SHAPES, hole_share=0.0),
            radius * float(self.rng.uniform(0.9, 1.15)),
            texture.render(self.rng, self.size),
            int(self.rng.integers(2**31)),
            path,
            float(self.rng.uniform(-1.0, 1.0)),
        )

    def changing(self, actor: _Actor) -> _Actor:
        """Let an actor grow, and turn into one of another colour and pattern."""
        other = self.actor(0, actor.path)
        return replace(actor, later_surface=other.surface, growth=0.5)

    def twin(self, actor: _Actor, label: int, path: Path) -> _Actor:
        """Make another one that looks the same in every pixel."""
        return replace(actor, label=label, path=path)


def clip_scene(kind: ClipKind, *, frames: int = 32, side: int = 160, seed: int = 0) -> ClipScene:
    """Draw a clip.

    Parameters
    ----------
    kind : ``plain``, an object among others; ``changing``, it grows and takes another colour and
        pattern until nothing is left of the first ones; ``occlusion``, it passes behind a post
        that hides all of it; ``look_alike``, an equal one passes close by, half behind it;
        ``return``, it leaves and comes back elsewhere; ``several``, three objects, two of them
        equal, the third of which leaves and comes back
    frames : number of frames
    side : rows and columns
    seed : from 0; the same seed gives the same clip

    Returns
    -------
    clip : ClipScene

    Raises
    ------
    ConfigError
        If there is no such kind, or the clip is too small.
    """
    if kind not in CLIP_KINDS:
        raise ConfigError(f"Clip {kind!r}: expected one of {', '.join(CLIP_KINDS)}.")
    if frames < FEWEST_FRAMES or side < SMALLEST_SIDE:
        raise ConfigError(
            f"A clip of {frames} frames of {side} pixels is too small: expected at least "
            f"{FEWEST_FRAMES} of {SMALLEST_SIDE}."
        )
    rng = np.random.default_rng((*kind.encode(), seed))
    ground = random_texture(rng, contrast=0.1, period=(0.06 * side, 0.3 * side))
    stage = _Stage(rng, side, [0.5 * (ground.dark + ground.light)])
    actors = _ACTORS[kind](stage)
    sheet = ground.render(rng, side)
    pan = rng.uniform(-0.12, 0.12, 2) * side
    mirror = rng.random() < 0.5
    pictures, labels = [], []
    for time in np.linspace(0, 1, frames):
        shift = np.rint(time * pan).astype(int)
        rgb = np.roll(sheet, tuple(shift), axis=(0, 1)).copy()
        numbers = np.zeros((side, side), np.int32)
        for actor in actors:
            actor.draw(rgb, numbers, float(time))
        grain = rng.normal(0, 0.015, rgb.shape)
        light = 1 + 0.05 * np.sin(2 * np.pi * time)
        shown = ndimage.gaussian_filter(rgb, (0.6, 0.6, 0)) * light + grain
        picture = np.rint(np.clip(shown, 0, 1) * 255).astype(np.uint8)
        pictures.append(picture[:, ::-1] if mirror else picture)
        labels.append(numbers[:, ::-1] if mirror else numbers)
    return ClipScene(np.stack(pictures), np.stack(labels), kind)


def _line(start: Place, end: Place, begin: float = 0.0, stop: float = 1.0) -> Path:
    """Go straight from one place to another between two times."""

    def path(time: float) -> Place:
        share = min(max((time - begin) / (stop - begin), 0.0), 1.0)
        return (
            start[0] + share * (end[0] - start[0]),
            start[1] + share * (end[1] - start[1]) + 0.03 * float(np.sin(9 * time)),
        )

    return path


def _away_and_back(out: Path, back: Path) -> Path:
    """Follow one path until the middle of the clip, another one after it."""
    return lambda time: out(time) if time < 0.5 else back(time)


def _plain(stage: _Stage) -> list[_Actor]:
    return [
        stage.actor(0, _line((0.2, 0.75), (0.35, 0.85))),
        stage.actor(0, _line((0.85, 0.2), (0.6, 0.15))),
        stage.actor(1, _line((0.2, 0.35), (0.8, 0.6))),
    ]


def _changing(stage: _Stage) -> list[_Actor]:
    return [
        stage.actor(0, _line((0.2, 0.8), (0.4, 0.85))),
        stage.actor(0, _line((0.85, 0.2), (0.6, 0.12))),
        stage.changing(stage.actor(1, _line((0.25, 0.35), (0.7, 0.6)), radius=0.11)),
    ]


def _occlusion(stage: _Stage) -> list[_Actor]:
    hidden = stage.actor(1, _line((0.15, 0.4), (0.87, 0.5)), radius=0.1)
    hidden = replace(hidden, family=replace(hidden.family, aspect=1.0))  # not wider than the post
    other = stage.actor(0, _line((0.8, 0.85), (0.3, 0.85), 0.0, 1.0))
    post = stage.actor(0, _line((0.5, 0.42), (0.5, 0.42)), radius=0.24)
    square = ShapeFamily("polygon", 4, irregularity=0.0)
    return [hidden, other, replace(post, family=square, radius=0.24, spin=0.0)]


def _look_alike(stage: _Stage) -> list[_Actor]:
    asked = stage.actor(1, _line((0.2, 0.35), (0.8, 0.6)))
    twin = stage.twin(asked, 0, _line((0.8, 0.4), (0.2, 0.78)))
    other = stage.actor(0, _line((0.15, 0.85), (0.2, 0.15)))
    return [other, twin, asked]


def _return(stage: _Stage) -> list[_Actor]:
    out = _line((0.35, 0.4), (1.45, 0.5), 0.0, 0.4)
    back = _line((-0.45, 0.6), (0.5, 0.65), 0.6, 1.0)
    return [
        stage.actor(0, _line((0.7, 0.85), (0.45, 0.85))),
        stage.actor(1, _away_and_back(out, back)),
        stage.actor(0, _line((0.12, 0.15), (0.3, 0.12))),
    ]


def _several(stage: _Stage) -> list[_Actor]:
    first = stage.actor(1, _line((0.2, 0.3), (0.75, 0.3)), radius=0.11)
    out = _line((0.5, 0.8), (-0.45, 0.85), 0.0, 0.4)
    back = _line((1.45, 0.6), (0.6, 0.75), 0.6, 1.0)
    return [
        stage.actor(0, _line((0.15, 0.6), (0.3, 0.62)), radius=0.08),
        stage.twin(first, 2, _line((0.8, 0.62), (0.25, 0.55))),
        stage.actor(3, _away_and_back(out, back), radius=0.12),
        first,
    ]


_ACTORS: dict[ClipKind, Callable[[_Stage], list[_Actor]]] = {
    "plain": _plain,
    "changing": _changing,
    "occlusion": _occlusion,
    "look_alike": _look_alike,
    "return": _return,
    "several": _several,
}
