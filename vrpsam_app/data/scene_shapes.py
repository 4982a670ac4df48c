"""Outlines, curves, trees and tessellations, and the small coverage patches they are drawn into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from vrpsam_app.data.scene_textures import smooth_noise

ShapeKind = Literal[
    "ellipse",
    "polygon",
    "star",
    "blob",
    "leaf",
    "rod",
    "crescent",
    "gear",
    "drop",
    "cross",
    "splat",
]
SHAPES: tuple[ShapeKind, ...] = get_args(ShapeKind)
Vertices = NDArray[np.float64]

# Shapes are drawn this many times larger and averaged down, which gives soft edges.
SUPERSAMPLE = 3


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """Coverage of one drawn shape inside a window of the scene.

    `coverage` is float32 in [0, 1]; `label` says which pixels belong to the shape (at least one).
    """

    window: tuple[slice, slice]
    coverage: NDArray[np.float32]
    label: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ShapeFamily:
    """Outlines that a person would give one name: one kind, with small differences."""

    kind: ShapeKind
    corners: int = 5
    depth: float = 0.3
    aspect: float = 1.0
    irregularity: float = 0.05
    hole: float = 0.0

    def outline(
        self, rng: np.random.Generator, radius: float, angle: float | None = None
    ) -> Vertices:
        """Vertices around (0, 0), shape (n, 2) in x, y; the area is that of a disc of `radius`."""
        turn = 2.0 * np.pi * np.arange(48) / 48
        points = self._polar(rng, turn)
        points[:, 0] *= np.sqrt(self.aspect)
        points[:, 1] /= np.sqrt(self.aspect)
        if self.irregularity > 0.0:
            bearing = np.arctan2(points[:, 1], points[:, 0])
            points *= 1.0 + self.irregularity * _wobble(rng, bearing)[:, None]
        points *= radius * np.sqrt(np.pi / max(_area(points), 1e-3))
        direction = rng.uniform(0.0, 2.0 * np.pi) if angle is None else angle
        cos, sin = np.cos(direction), np.sin(direction)
        return points @ np.array([[cos, sin], [-sin, cos]])

    def _polar(self, rng: np.random.Generator, turn: Vertices) -> Vertices:
        kind, count = self.kind, self.corners
        if kind == "polygon":
            # Half a step turned, so that stretching a square gives a rectangle.
            corner = 2.0 * np.pi * (np.arange(count) + 0.5) / count
            return np.stack([np.cos(corner), np.sin(corner)], 1)
        if kind in ("star", "cross"):
            spikes = 4 if kind == "cross" else count
            corner = 2.0 * np.pi * np.arange(2 * spikes) / (2 * spikes)
            reach = np.where(np.arange(2 * spikes) % 2 == 0, 1.0, max(0.2, 0.8 - self.depth))
            return np.stack([reach * np.cos(corner), reach * np.sin(corner)], 1)
        if kind == "gear":
            reach = 1.0 + 0.4 * self.depth * np.sign(np.sin(count * turn))
        elif kind == "blob":
            reach = 1.0 + 0.6 * self.depth * _wobble(rng, turn)
        elif kind == "splat":
            reach = np.exp(1.2 * self.depth * _wobble(rng, turn, harmonics=8))
        elif kind == "crescent":
            inner = turn[:24]
            top = np.stack([np.cos(inner), np.sin(inner)], 1)
            under = np.stack([np.cos(inner), (0.2 + self.depth) * np.sin(inner)], 1)[::-1]
            return np.concatenate([top, under])
        elif kind == "leaf":
            return np.stack([np.cos(turn), 0.45 * np.sin(turn) * np.abs(np.sin(turn)) ** 0.5], 1)
        elif kind == "drop":
            return np.stack([np.cos(turn), np.sin(turn) * np.sin(turn / 2.0) ** 1.5], 1)
        elif kind == "rod":
            end = 0.28 * np.stack([np.cos(turn), np.sin(turn)], 1)
            end[:, 0] += np.where(np.cos(turn) >= 0.0, 0.7, -0.7)
            end[:, 1] += self.depth * 0.5 * (end[:, 0] ** 2 - 0.4)
            return end
        else:
            reach = np.ones_like(turn)
        return np.stack([reach * np.cos(turn), reach * np.sin(turn)], 1)


def _wobble(rng: np.random.Generator, turn: Vertices, harmonics: int = 5) -> Vertices:
    order = np.arange(2, 2 + harmonics)
    height = rng.normal(0.0, 1.0, harmonics) / np.sqrt(order)
    phase = rng.uniform(0.0, 2.0 * np.pi, harmonics)
    return np.clip((height * np.cos(turn[:, None] * order + phase)).sum(1), -1.3, 1.3)


def _area(points: Vertices) -> float:
    x, y = points[:, 0], points[:, 1]
    return 0.5 * abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))


def random_family(
    rng: np.random.Generator, kinds: Sequence[ShapeKind] = SHAPES, *, hole_share: float = 0.12
) -> ShapeFamily:
    """Draw the parameters of a family of outlines."""
    return ShapeFamily(
        kind=kinds[int(rng.integers(len(kinds)))],
        corners=int(rng.integers(3, 9)),
        depth=float(rng.uniform(0.1, 0.55)),
        aspect=float(np.exp(rng.uniform(0.0, 1.1))) if rng.random() < 0.5 else 1.0,
        irregularity=float(rng.uniform(0.0, 0.12)),
        hole=float(rng.uniform(0.3, 0.7)) if rng.random() < hole_share else 0.0,
    )


def polygon_patch(outline: Vertices, size: int, holes: Sequence[Vertices] = ()) -> Patch | None:
    """Draw a filled polygon.

    Parameters
    ----------
    outline : shape (n, 2), x and y in pixels of the scene
    size : side of the scene
    holes : outlines cut out of it

    Returns
    -------
    patch : Patch or None
        None where the polygon lies outside the scene.
    """
    box = _window(outline, 1.0, size)
    if box is None:
        return None
    left, top, right, bottom = box
    sheet = Image.new("L", ((right - left) * SUPERSAMPLE, (bottom - top) * SUPERSAMPLE))
    pen = ImageDraw.Draw(sheet)
    origin = np.array([left, top])
    for index, points in enumerate([outline, *holes]):
        local = (points - origin) * SUPERSAMPLE - 0.5
        pen.polygon(local.ravel().tolist(), fill=0 if index else 255)
    return _patch(sheet, box, 0.5)


def curve_patch(curves: Sequence[tuple[Vertices, float, float]], size: int) -> Patch | None:
    """Draw curves, each given as vertices (n, 2) in x, y and its first and last width in pixels."""
    box = _window(np.concatenate([points for points, _, _ in curves]), 4.0, size)
    if box is None:
        return None
    left, top, right, bottom = box
    sheet = Image.new("L", ((right - left) * SUPERSAMPLE, (bottom - top) * SUPERSAMPLE))
    pen = ImageDraw.Draw(sheet)
    origin = np.array([left, top])
    for points, first, last in curves:
        local = (points - origin) * SUPERSAMPLE - 0.5
        widths = np.linspace(first, last, len(local)) * SUPERSAMPLE
        for start, stop, width in zip(local[:-1], local[1:], widths[:-1], strict=True):
            pen.line([*start, *stop], fill=255, width=max(1, round(width)))
            if width > 3.0:
                reach = width / 2.0 - 0.5
                x, y = stop
                pen.ellipse([x - reach, y - reach, x + reach, y + reach], fill=255)
    return _patch(sheet, box, 0.45)


def _window(points: Vertices, margin: float, size: int) -> tuple[int, int, int, int] | None:
    low = np.clip(np.floor(points.min(0) - margin), 0, size).astype(int)
    high = np.clip(np.ceil(points.max(0) + margin), 0, size).astype(int)
    if (high <= low).any():
        return None
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _patch(sheet: Image.Image, box: tuple[int, int, int, int], share: float) -> Patch | None:
    coverage = np.asarray(sheet.reduce(SUPERSAMPLE), np.float32) / np.float32(255.0)
    if not coverage.any():
        return None
    label = coverage >= share
    if not label.any():
        label = coverage == coverage.max()
    left, top, right, bottom = box
    return Patch((slice(top, bottom), slice(left, right)), coverage, label)


def wandering_curve(
    rng: np.random.Generator,
    start: Vertices,
    heading: float,
    length: float,
    *,
    wiggle: float,
    step: float = 3.0,
) -> Vertices:
    """Walk from `start` (x, y); the heading drifts by about `wiggle` radians per 10 pixels."""
    count = max(2, int(length / step))
    drift = ndimage.uniform_filter1d(rng.normal(0.0, 1.0, count), 5, mode="nearest") * 2.0
    turning = heading + np.cumsum(drift) * wiggle * np.sqrt(step / 10.0) * 0.5
    moves = step * np.stack([np.cos(turning), np.sin(turning)], 1)
    return np.concatenate([start[None], start + np.cumsum(moves, 0)])


def branching_tree(
    rng: np.random.Generator,
    start: Vertices,
    heading: float,
    length: float,
    width: float,
    *,
    wiggle: float = 0.2,
    levels: int = 4,
) -> list[tuple[Vertices, float, float]]:
    """Curves of a tree that forks, thins and shortens, ready for `curve_patch`."""
    curves: list[tuple[Vertices, float, float]] = []
    front = [(start, heading, length, width)]
    for _ in range(levels):
        following = []
        for origin, direction, reach, thick in front:
            points = wandering_curve(rng, origin, direction, reach, wiggle=wiggle)
            curves.append((points, thick, 0.75 * thick))
            tail = points[-1] - points[-2]
            ahead = float(np.arctan2(tail[1], tail[0]))
            spread = rng.uniform(0.25, 0.8)
            for side in (-spread, spread):
                shrink = rng.uniform(0.55, 0.9)
                following.append((points[-1], ahead + side, reach * shrink, thick * shrink))
            if rng.random() < 0.6:
                fork = points[int(rng.integers(1, len(points)))]
                side = float(rng.choice([-1.0, 1.0])) * rng.uniform(0.5, 1.2)
                following.append((fork, direction + side, 0.6 * reach, 0.5 * thick))
        front = following
    return curves


def tessellation(
    rng: np.random.Generator, size: int, count: int, *, warp: float, relax: bool = True
) -> NDArray[np.int32]:
    """Cut the square into about `count` cells around random seeds.

    Parameters
    ----------
    rng : generator
    size : side in pixels
    count : number of seeds
    warp : how far borders are bent, in pixels; 0 leaves straight Voronoi edges
    relax : whether seeds keep apart, so that cells have similar sizes

    Returns
    -------
    cells : shape (size, size), int32
        Cell of each pixel, 0..count-1.
    """
    if relax:
        side = int(np.ceil(np.sqrt(count)))
        grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2)
        seeds = (grid + rng.uniform(0.0, 1.0, grid.shape)) * (size / side)
    else:
        seeds = rng.uniform(0.0, size, (count, 2))
    spots = np.clip(seeds.astype(int), 0, size - 1)
    free = np.ones((size, size), bool)
    number = np.zeros((size, size), np.int32)
    free[spots[:, 0], spots[:, 1]] = False
    number[spots[:, 0], spots[:, 1]] = np.arange(len(spots))
    nearest = ndimage.distance_transform_edt(free, return_distances=False, return_indices=True)
    cells = number[nearest[0], nearest[1]]
    if warp > 0.0:
        cell = max(8.0, 0.5 * size / np.sqrt(count))
        row, col = np.indices((size, size), dtype=np.float32)
        row = np.clip(np.rint(row + warp * smooth_noise(rng, size, cell)), 0, size - 1)
        col = np.clip(np.rint(col + warp * smooth_noise(rng, size, cell)), 0, size - 1)
        cells = cells[row.astype(int), col.astype(int)]
    return cells


def border_distance(cells: NDArray[np.int32]) -> NDArray[np.float32]:
    """Distance in pixels to the nearest border between cells, 0 on the border pixels themselves."""
    border = np.zeros(cells.shape, bool)
    border[:-1] |= cells[:-1] != cells[1:]
    border[:, :-1] |= cells[:, :-1] != cells[:, 1:]
    if not border.any():
        return np.full(cells.shape, np.float32(max(cells.shape)))
    return ndimage.distance_transform_edt(~border).astype(np.float32)
