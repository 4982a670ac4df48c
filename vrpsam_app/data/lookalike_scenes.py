"""Made-up stacks and time lapses of nuclei beside rods of the same brightness, with the truth.

A stain of DNA shows the nuclei of cells and the bacteria that live in them alike. What is wanted
differs from what is not in size and shape alone, so that no threshold tells them apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vrpsam_app.data.volume_scenes import BLUR_UM, PIXEL_SIZE, recorded
from vrpsam_app.errors import ConfigError
from vrpsam_app.stacks.stack import PixelSize

KINDS = ("nucleus", "rod")

MINUTES = 5.0
"""Time between two frames of a time lapse."""

# Half axes in um, of the smallest and the largest: a round nucleus, a thread-like bacterium.
_HALF_AXES = {"nucleus": (3.4, 4.8), "rod": (5.4, 7.0)}
_ROD_WIDTH = 0.16  # of a rod's length
# Of the area that both kinds fill in a plane; of a volume rods fill less, for they are flat.
_SHARE = {"nucleus": 0.08, "rod": 0.06}
_MOST_SHARED = 0.04  # of its own voxels that a new body may take from others
_TRIES = 3000
# Surface and texture are read from one small block of noise, periodic, in um of the body.
_NOISE_SIDE, _NOISE_STEP = 24, 0.6
_LUMPS, _MOTTLE = 0.07, 0.2
_UNEQUAL = 0.12  # spread of the bodies' brightness


@dataclass(frozen=True, eq=False)
class LookalikeScene:
    """Planes with two kinds of equally bright objects.

    Attributes
    ----------
    image : shape (planes, H, W), uint16
    labels : shape (planes, H, W), int32
        Number of the object of each pixel, 0 for none; the same object has the same number in all
        planes.
    kinds : shape (numbers,), int64
        Kind of each number, an index into `KINDS`; -1 for number 0.
    pixel_size : PixelSize
    axis : ``z`` or ``t``
    """

    image: NDArray[np.uint16]
    labels: NDArray[np.int32]
    kinds: NDArray[np.int64]
    pixel_size: PixelSize
    axis: str

    def labels_of(self, kind: str) -> NDArray[np.int32]:
        """Return the labels of one kind, 0 elsewhere."""
        return np.where(self.kinds[self.labels] == KINDS.index(kind), self.labels, 0)


@dataclass(slots=True)
class _Body:
    """An object: an ellipsoid with a lumpy surface, in um.

    Attributes
    ----------
    kind : index into `KINDS`
    centre, half_axes : shape (ndim,)
    turn : shape (ndim, ndim)
        From the world's axes to the body's.
    noise_at : shape (ndim,)
        Where in the noise the body's surface and texture lie.
    brightness : 1 on average
    """

    kind: int
    centre: NDArray[np.float64]
    half_axes: NDArray[np.float64]
    turn: NDArray[np.float64]
    noise_at: NDArray[np.float64]
    brightness: float


def nuclei_among_rods(
    shape: tuple[int, int, int] = (24, 256, 256), *, seed: int = 0
) -> LookalikeScene:
    """Draw a z-stack.

    Parameters
    ----------
    shape : (planes, rows, columns)
        Of voxels of 0.9 x 0.3 x 0.3 um; at least 8 planes of 64 x 64 pixels.
    seed : from 0; the same seed gives the same scene

    Raises
    ------
    ConfigError
        If the shape is too small.
    """
    if len(shape) != 3 or shape[0] < 8 or min(shape[1:]) < 64:
        raise ConfigError(f"Shape {shape} is too small: expected at least (8, 64, 64).")
    rng = np.random.default_rng(seed)
    voxel = np.array([PIXEL_SIZE.plane, PIXEL_SIZE.row, PIXEL_SIZE.col], np.float64)
    canvas = _Canvas(rng, shape, voxel)
    bodies = list(_placed(rng, canvas))
    image = recorded(rng, canvas.light(bodies), voxel)
    return LookalikeScene(image, canvas.labels, _kinds_of(bodies), PIXEL_SIZE, "z")


def drifting_nuclei(
    shape: tuple[int, int, int] = (16, 256, 256), *, seed: int = 0
) -> LookalikeScene:
    """Draw a time lapse: nuclei drift, rods swim and turn, some leave the field or come into it.

    Parameters
    ----------
    shape : (frames, rows, columns)
        Of pixels of 0.3 x 0.3 um, `MINUTES` apart; at least 2 frames of 64 x 64 pixels.
    seed : from 0; the same seed gives the same scene

    Raises
    ------
    ConfigError
        If the shape is too small.
    """
    if len(shape) != 3 or shape[0] < 2 or min(shape[1:]) < 64:
        raise ConfigError(f"Shape {shape} is too small: expected at least (2, 64, 64).")
    rng = np.random.default_rng(seed)
    pixel = np.array([PIXEL_SIZE.row, PIXEL_SIZE.col], np.float64)
    first = _Canvas(rng, shape[1:], pixel)
    bodies = list(_placed(rng, first))
    size = PixelSize(PIXEL_SIZE.row, PIXEL_SIZE.col, unit=PIXEL_SIZE.unit)
    image, labels = np.empty(shape, np.uint16), np.empty(shape, np.int32)
    speed = rng.normal(0, 0.5, (len(bodies), 2))
    for frame in range(shape[0]):
        canvas = first.emptied()
        for number, body in enumerate(bodies, start=1):
            canvas.paint(body, number)
        image[frame] = recorded(rng, canvas.light(bodies), pixel)
        labels[frame] = canvas.labels
        speed = 0.8 * speed + rng.normal(0, 0.4, speed.shape)
        _move(rng, bodies, speed)
    return LookalikeScene(image, labels, _kinds_of(bodies), size, "t")


class _Canvas:
    """Where bodies are painted: who owns each voxel, and how bright it is."""

    def __init__(
        self, rng: np.random.Generator, shape: Sequence[int], voxel: NDArray[np.float64]
    ) -> None:
        self.voxel = voxel
        self.extent = np.array(shape) * voxel
        noise = rng.standard_normal((2, *(_NOISE_SIDE,) * len(shape)))
        smooth = [
            ndimage.gaussian_filter(n, s, mode="wrap")
            for n, s in zip(noise, (2.0, 1.0), strict=True)
        ]
        self._lumps, self._mottle = (n / n.std() for n in smooth)
        self._clear(shape)

    def emptied(self) -> _Canvas:
        """Return another one with the same noise."""
        other = object.__new__(_Canvas)
        other.voxel, other.extent = self.voxel, self.extent
        other._lumps, other._mottle = self._lumps, self._mottle
        other._clear(self.labels.shape)
        return other

    def _clear(self, shape: Sequence[int]) -> None:
        self.labels = np.zeros(shape, np.int32)
        self._nearest = np.ones(shape, np.float32)  # distance to the owner, 1 at its surface
        self._texture = np.zeros(shape, np.float32)

    def paint(self, body: _Body, number: int, *, most_shared: float = 1.0) -> bool:
        """Paint a body unless it would take too much from others; tell whether it was."""
        reach = body.half_axes.max() * (1 + 4 * _LUMPS)
        window = tuple(
            slice(max(0, int((c - reach) / v)), max(0, int((c + reach) / v) + 2))
            for c, v in zip(body.centre, self.voxel, strict=True)
        )
        owners = self.labels[window]
        if not owners.size:
            return False
        axes = [
            (np.arange(s.start, s.start + n) + 0.5) * v - c
            for s, n, v, c in zip(window, owners.shape, self.voxel, body.centre, strict=True)
        ]
        away = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1) @ body.turn
        distance = np.linalg.norm(away / body.half_axes, axis=-1)
        near = distance < 1 + 4 * _LUMPS
        at = (away[near] / _NOISE_STEP + body.noise_at).T
        distance[near] += _LUMPS * ndimage.map_coordinates(
            self._lumps, at, order=1, mode="grid-wrap"
        )
        inside = distance < 1
        if not inside.any() or (owners[inside] > 0).mean() > most_shared:
            return False
        mine = distance < self._nearest[window]
        mottle = np.zeros(distance.shape)
        mottle[near] = ndimage.map_coordinates(self._mottle, at, order=1, mode="grid-wrap")
        self._nearest[window][mine] = distance[mine]
        self._texture[window][mine] = np.clip(1 + _MOTTLE * mottle[mine], 0.3, None)
        owners[mine] = number
        return True

    def light(self, bodies: Sequence[_Body]) -> NDArray[np.float64]:
        """Return how brightly each voxel shines; both kinds are as bright as each other."""
        each = np.array([0.0, *(body.brightness for body in bodies)])
        light = each[self.labels] * self._texture
        kinds = _kinds_of(bodies)[self.labels]
        blurred = ndimage.gaussian_filter(light, np.array(BLUR_UM)[-light.ndim :] / self.voxel)
        for kind in range(len(KINDS)):
            chosen = kinds == kind
            # Thin bodies lose light to their surroundings: they are made to look equal, not to be.
            light[chosen] /= blurred[chosen].mean() if chosen.any() else 1.0
        return np.asarray(light)


def _placed(rng: np.random.Generator, canvas: _Canvas) -> Iterator[_Body]:
    """Paint bodies of both kinds in turn until enough is filled, and yield them."""
    filled = [0.0] * len(KINDS)
    wanted = [_SHARE[kind] * canvas.extent.prod() for kind in KINDS]
    ndim, number = len(canvas.extent), 1
    for _ in range(_TRIES):
        # Whichever kind lacks more; nuclei, the larger ones, before what finds room beside them.
        kind = 0 if filled[0] < wanted[0] else 1
        if filled[kind] >= wanted[kind]:
            return
        body = _drawn(rng, kind, canvas.extent)
        if canvas.paint(body, number, most_shared=_MOST_SHARED):
            yield body
            number += 1
            filled[kind] += (np.pi if ndim == 2 else 4 / 3 * np.pi) * body.half_axes.prod()


def _drawn(rng: np.random.Generator, kind: int, extent: NDArray[np.float64]) -> _Body:
    """Draw where a body lies and what it looks like; rods lie flat, as on a cover slip."""
    ndim = len(extent)
    longest = rng.uniform(*_HALF_AXES[KINDS[kind]])
    shape = np.ones(ndim)
    if KINDS[kind] == "rod":
        shape[:-1] = _ROD_WIDTH
    half_axes = longest * shape * np.exp(rng.normal(0, 0.06, ndim))
    turn = _rotation(rng.uniform(0, np.pi))
    if ndim == 3:
        lean = _rotation(rng.normal(0, 0.25))
        flat, upright = np.eye(3), np.eye(3)
        flat[1:, 1:] = turn
        upright[np.ix_([0, 2], [0, 2])] = lean
        turn = flat @ upright
    # Cut at the sides, as in a field of view, but hardly above and below.
    low = np.zeros(ndim)
    low[: ndim - 2] = 0.6 * half_axes[0]
    centre = rng.uniform(low, extent - low)
    noise_at = rng.uniform(0, _NOISE_SIDE, ndim)
    return _Body(kind, centre, half_axes, turn, noise_at, float(np.exp(rng.normal(0, _UNEQUAL))))


def _move(rng: np.random.Generator, bodies: Sequence[_Body], speed: NDArray[np.float64]) -> None:
    """Let bodies of a plane drift by um; who would run into another one turns back."""
    radii = np.array([body.half_axes.prod() ** 0.5 for body in bodies])
    for index, body in enumerate(bodies):
        others = np.array([other.centre for other in bodies])
        there = body.centre + speed[index]
        apart = np.linalg.norm(others - there, axis=1)
        now = np.linalg.norm(others - body.centre, axis=1)
        close = (apart < 0.95 * (radii + radii[index])) & (apart < now)
        close[index] = False
        if close.any():
            speed[index] *= -0.5
            continue
        body.centre = there
        spin = 0.12 if KINDS[body.kind] == "rod" else 0.05
        body.turn = body.turn @ _rotation(rng.normal(0, spin))


def _rotation(angle: float) -> NDArray[np.float64]:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


def _kinds_of(bodies: Sequence[_Body]) -> NDArray[np.int64]:
    return np.array([-1, *(body.kind for body in bodies)], np.int64)
