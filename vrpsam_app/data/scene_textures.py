"""Noise fields, patterns and colours of which procedural scenes are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FloatArray = NDArray[np.float32]
PatternKind = Literal[
    "flat",
    "clouds",
    "marble",
    "stripes",
    "checkers",
    "gradient",
    "grain",
    "spots",
    "scales",
    "bark",
]
PATTERNS: tuple[PatternKind, ...] = get_args(PatternKind)

# Rec. 601 luma: what a person calls the brightness of a colour.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def smooth_noise(rng: np.random.Generator, size: int, cell: float) -> FloatArray:
    """Noise without structure below `cell`: normal values on a coarse grid, drawn smoothly between.

    Parameters
    ----------
    rng : generator
    size : side of the square field in pixels
    cell : distance of the grid nodes in pixels; 1 gives white noise

    Returns
    -------
    field : shape (size, size), float32
        Mean near 0, standard deviation near 1.
    """
    if cell <= 1.0:
        return rng.standard_normal((size, size), dtype=np.float32)
    nodes = int(np.ceil(size / cell)) + 4
    grid = rng.standard_normal((nodes, nodes), dtype=np.float32)
    y, x = rng.uniform(1.0, 2.0, 2)
    span = size / cell
    field = Image.fromarray(grid).resize(
        (size, size), Image.Resampling.BICUBIC, box=(x, y, x + span, y + span)
    )
    # Interpolation between nodes takes about a third of the deviation away.
    return np.asarray(field, np.float32) * np.float32(1.5)


def fractal_noise(
    rng: np.random.Generator, size: int, coarsest: float, *, octaves: int = 3, gain: float = 0.5
) -> FloatArray:
    """Sum of smooth noises, each half as coarse as the one before; standard deviation near 1."""
    total = smooth_noise(rng, size, coarsest)
    weight, power = 1.0, 1.0
    for octave in range(1, octaves):
        weight *= gain
        power += weight * weight
        total = total + np.float32(weight) * smooth_noise(rng, size, coarsest / 2**octave)
    return total / np.float32(np.sqrt(power))


def coordinates(size: int) -> tuple[FloatArray, FloatArray]:
    """Row and column of every pixel centre as two broadcastable float32 arrays."""
    axis = np.arange(size, dtype=np.float32) + np.float32(0.5)
    return axis[:, None], axis[None, :]


def random_colour(rng: np.random.Generator) -> FloatArray:
    """Colour in [0, 1]: any brightness, from grey to saturated."""
    hue = rng.uniform(0.0, 2.0 * np.pi)
    wave = 0.5 + 0.5 * np.cos(hue + np.array([0.0, 2.1, 4.2]))
    saturation, value = rng.beta(1.2, 1.5), rng.uniform(0.1, 1.0)
    return (value * (1.0 - saturation + saturation * wave)).astype(np.float32)


def distinct_colour(
    rng: np.random.Generator, others: list[FloatArray], distance: float = 0.3
) -> FloatArray:
    """Colour at least `distance` from all `others`, or the farthest of twelve tried."""
    best, best_gap = random_colour(rng), -1.0
    for _ in range(12):
        colour = random_colour(rng)
        gap = min((float(np.linalg.norm(colour - other)) for other in others), default=9.0)
        if gap > best_gap:
            best, best_gap = colour, gap
        if gap >= distance:
            break
    return best


def same_brightness(rng: np.random.Generator, colour: FloatArray) -> FloatArray:
    """Another hue whose luma equals that of `colour`, as far as [0, 1] allows."""
    best, best_gap = colour, -1.0
    for _ in range(8):
        other = random_colour(rng)
        other = np.clip(other * (colour @ LUMA) / max(float(other @ LUMA), 0.05), 0.0, 1.0)
        gap = float(np.linalg.norm(other - colour)) - 3.0 * abs(float((other - colour) @ LUMA))
        if gap > best_gap:
            best, best_gap = other.astype(np.float32), gap
    return best


@dataclass(frozen=True, slots=True, eq=False)
class Texture:
    """A pattern between two colours; its parameters stay the same over a group of images.

    Every pattern has mean 0.5, so two textures of the same colours have the same mean colour
    whatever their pattern: that is what makes look-alikes of equal brightness possible.
    """

    pattern: PatternKind
    dark: FloatArray
    light: FloatArray
    period: float
    angle: float = 0.0
    turbulence: float = 0.0

    def field(self, rng: np.random.Generator, size: int) -> FloatArray:
        """Pattern values, shape (size, size), float32 in about [0, 1] with mean 0.5."""
        values = self._raw(rng, size)
        values = values - values.mean()
        return np.clip(values + np.float32(0.5), 0.0, 1.0)

    def render(self, rng: np.random.Generator, size: int) -> FloatArray:
        """Draw the texture, shape (size, size, 3), float32 in [0, 1]; position is random."""
        if self.pattern == "flat":
            middle = 0.5 * (self.dark + self.light)
            return np.broadcast_to(middle, (size, size, 3)).astype(np.float32)
        values = self.field(rng, size)[..., None]
        return self.dark + values * (self.light - self.dark)

    def _raw(self, rng: np.random.Generator, size: int) -> FloatArray:
        kind, period = self.pattern, self.period
        if kind == "flat":
            return np.full((size, size), 0.5, np.float32)
        if kind == "clouds":
            return np.float32(0.25) * fractal_noise(rng, size, period)
        if kind == "grain":
            return np.float32(0.2) * smooth_noise(rng, size, max(1.0, period / 8.0))
        if kind == "spots":
            noise = smooth_noise(rng, size, period / 2.0)
            return np.clip((noise - 0.6) * 2.0, 0.0, 1.0)
        if kind == "scales":
            noise = np.abs(smooth_noise(rng, size, period))
            return np.clip(1.0 - 2.5 * noise, 0.0, 1.0)
        row, col = coordinates(size)
        angle = self.angle + rng.normal(0.0, 0.05)
        across = row * np.float32(np.sin(angle)) + col * np.float32(np.cos(angle))
        along = col * np.float32(np.sin(angle)) - row * np.float32(np.cos(angle))
        if kind == "gradient":
            span = np.float32(1.0 / (size * (abs(np.sin(angle)) + abs(np.cos(angle)))))
            return np.clip((across - across.min()) * span, 0.0, 1.0)
        phase = np.float32(rng.uniform(0.0, 2.0 * np.pi))
        turn = np.float32(2.0 * np.pi / period)
        if self.turbulence > 0.0 or kind == "marble":
            amount = np.float32((self.turbulence + (1.0 if kind == "marble" else 0.0)) * period / 3)
            across = across + amount * smooth_noise(rng, size, 2.0 * period)
        if kind == "checkers":
            return (np.sin(turn * across + phase) * np.sin(turn * along + phase) > 0).astype(
                np.float32
            )
        if kind == "bark":
            wave = np.sin(turn * across + phase) + np.sin(0.37 * turn * along)
            return 0.5 + np.float32(0.25) * wave.astype(np.float32)
        return 0.5 + np.float32(0.5) * np.sin(turn * across + phase)


def random_texture(
    rng: np.random.Generator,
    *,
    colour: FloatArray | None = None,
    contrast: float | None = None,
    patterns: tuple[PatternKind, ...] = PATTERNS,
    period: tuple[float, float] = (4.0, 32.0),
) -> Texture:
    """Draw the parameters of a texture.

    Parameters
    ----------
    rng : generator
    colour : mean colour in [0, 1], drawn where not given
    contrast : half the distance between the two colours, drawn in 0.03..0.35 where not given
    patterns : kinds to choose from
    period : shortest and longest repeat in pixels
    """
    middle = random_colour(rng) if colour is None else colour
    half = rng.uniform(0.03, 0.35) if contrast is None else contrast
    tint = random_colour(rng) - 0.5
    shift = 0.7 * np.ones(3) + 0.6 * tint
    shift = (half * shift / max(float(np.abs(shift).max()), 1e-3)).astype(np.float32)
    # Keeps both colours inside [0, 1] without moving their mean.
    room = np.minimum(middle, 1.0 - middle)
    shift = np.clip(shift, -room, room)
    return Texture(
        pattern=patterns[int(rng.integers(len(patterns)))],
        dark=(middle - shift).astype(np.float32),
        light=(middle + shift).astype(np.float32),
        period=float(np.exp(rng.uniform(*np.log(period)))),
        angle=float(rng.uniform(0.0, np.pi)),
        turbulence=float(rng.uniform(0.0, 1.0)) if rng.random() < 0.5 else 0.0,
    )
