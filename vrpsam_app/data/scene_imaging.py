"""From painted light to picture: colour treatment of a group, and the conditions of each shot."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from vrpsam_app.data.scene_textures import LUMA, FloatArray, coordinates, smooth_noise

# Exposure aims at this much between the darkest and the brightest hundredth of the pixels.
MIN_CONTRAST = 0.25


@dataclass(frozen=True, slots=True)
class Look:
    """Treatment shared by all images of a group, so that a class keeps its appearance."""

    grey: bool = False
    invert: bool = False
    channels: tuple[int, int, int] = (0, 1, 2)
    gamma: float = 1.0
    gain: float = 1.0
    blur: float = 0.0
    noise: float = 0.0
    noise_cell: float = 1.0
    unevenness: float = 0.0
    jpeg: bool = False


def random_look(rng: np.random.Generator, grey_share: float) -> Look:
    """Draw the treatment of a group."""
    order = (0, 1, 2)
    if rng.random() < 0.25:
        order = tuple(int(i) for i in rng.permutation(3))  # type: ignore[assignment]
    return Look(
        grey=bool(rng.random() < grey_share),
        invert=bool(rng.random() < 0.12),
        channels=order,
        gamma=float(np.exp(rng.normal(0.0, 0.25))),
        gain=float(np.exp(rng.normal(0.0, 0.15))),
        blur=float(rng.uniform(0.0, 1.1)) if rng.random() < 0.7 else 0.0,
        noise=float(rng.uniform(0.0, 0.03) if rng.random() < 0.6 else rng.uniform(0.0, 0.1)),
        noise_cell=float(rng.uniform(1.0, 2.5)) if rng.random() < 0.3 else 1.0,
        unevenness=float(rng.uniform(0.0, 0.45)) if rng.random() < 0.5 else 0.0,
        jpeg=bool(rng.random() < 0.2),
    )


def photograph(rgb: FloatArray, look: Look, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Take a picture of a painted scene.

    Parameters
    ----------
    rgb : shape (S, S, 3), float32 around [0, 1]
    look : treatment of the group
    rng : generator of this shot: light, exposure, focus and noise differ from shot to shot

    Returns
    -------
    image : shape (S, S, 3), uint8
    """
    size = len(rgb)
    picture = np.clip(rgb, 0.0, 4.0)
    if look.grey:
        picture = (picture @ LUMA)[..., None]
    else:
        picture = picture[..., list(look.channels)] @ _hue_turn(rng.normal(0.0, 0.08))
        picture = picture * np.exp(rng.normal(0.0, 0.04, 3)).astype(np.float32)
    if look.unevenness > 0.0 and rng.random() < 0.85:
        picture = picture * _uneven_light(rng, size, look.unevenness)[..., None]
    picture = _exposed(picture, look.gain * float(np.exp(rng.normal(0.0, 0.12))))
    picture = np.clip(picture + np.float32(rng.normal(0.0, 0.03)), 0.0, 1.0)
    picture = picture ** np.float32(look.gamma * np.exp(rng.normal(0.0, 0.12)))
    sigma = look.blur * rng.uniform(0.6, 1.4)
    if sigma > 0.25:
        picture = ndimage.gaussian_filter(picture, (sigma, sigma, 0.0), truncate=2.5)
    # A faint picture gets less noise: what is lost in it cannot be learned.
    noise = look.noise * rng.uniform(0.6, 1.4) * min(1.0, float(picture.std()) / 0.12)
    if noise > 0.002:
        picture = picture + _grain(rng, picture, noise, look.noise_cell)
    if look.invert:
        picture = 1.0 - picture
    image = np.clip(picture * 255.0 + 0.5, 0.0, 255.0).astype(np.uint8)
    if look.grey:
        image = np.repeat(image, 3, axis=2)
    return _recompressed(image, rng) if look.jpeg else image


def _exposed(picture: FloatArray, gain: float) -> FloatArray:
    """Apply a gain as far as light things do not drown in white, nor everything in black."""
    low, high = np.quantile(picture[::4, ::4], (0.01, 0.99))
    gain = min(gain, 1.02 / max(float(high), 0.05))
    gain = max(gain, min(MIN_CONTRAST / max(float(high - low), 0.01), 1.0 / max(float(high), 0.05)))
    return picture * np.float32(gain)


def _hue_turn(angle: float) -> FloatArray:
    """Rotation of colours about the grey axis, for row vectors."""
    cos, sin = np.cos(angle), np.sin(angle) / np.sqrt(3.0)
    third = (1.0 - cos) / 3.0
    a, b, c = cos + third, third - sin, third + sin
    return np.array([[a, c, b], [b, a, c], [c, b, a]], np.float32)


def _uneven_light(rng: np.random.Generator, size: int, amount: float) -> FloatArray:
    row, col = coordinates(size)
    kind = rng.random()
    if kind < 0.4:
        angle = rng.uniform(0.0, 2.0 * np.pi)
        field = (np.cos(angle) * row + np.sin(angle) * col) / size
        field = field - field.mean()
    elif kind < 0.7:
        middle = rng.uniform(0.3, 0.7, 2) * size
        field = -1.5 * ((row - middle[0]) ** 2 + (col - middle[1]) ** 2) / size**2 + 0.25
    else:
        field = 0.3 * smooth_noise(rng, size, 0.5 * size)
    return np.clip(1.0 + np.float32(amount) * field.astype(np.float32), 0.3, 1.7)


def _grain(rng: np.random.Generator, picture: FloatArray, noise: float, cell: float) -> FloatArray:
    size, _, channels = picture.shape
    field = np.stack([smooth_noise(rng, size, cell) for _ in range(channels)], -1)
    if rng.random() < 0.4:
        # Photon noise: the deviation grows with the square root of the light.
        field = field * np.sqrt(np.clip(picture, 0.02, 1.0)) * 1.5
    return field * np.float32(noise)


def _recompressed(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=int(rng.integers(45, 92)))
    return np.array(Image.open(file))
