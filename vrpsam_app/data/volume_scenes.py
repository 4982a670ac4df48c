"""A made-up z-stack of fluorescent nuclei, some of which touch, with the truth of each voxel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vrpsam_app.errors import ConfigError
from vrpsam_app.stacks.stack import PixelSize

PIXEL_SIZE = PixelSize(row=0.3, col=0.3, plane=0.9, unit="um")
"""As a confocal microscope samples: coarser along z than across."""

RADIUS_UM = (2.8, 4.4)
"""Radius of the smallest and the largest nucleus."""

SHARE = 0.24
"""Share of the volume that nuclei fill: dense enough that many touch."""

BLUR_UM = (0.6, 0.25, 0.25)
"""Widths of the point spread function, as standard deviations along z, rows and columns."""

# Intensities in counts.
_DARK, _BRIGHT, _GLOW, _READ_NOISE = 200.0, 2600.0, 0.12, 25.0
_TRIES = 4000


@dataclass(frozen=True, eq=False)
class VolumeScene:
    """A stack and what is in it.

    Attributes
    ----------
    image : shape (planes, H, W), uint16
    labels : shape (planes, H, W), int32
        Number of the nucleus of each voxel, 0 for none.
    pixel_size : PixelSize
    """

    image: NDArray[np.uint16]
    labels: NDArray[np.int32]
    pixel_size: PixelSize


def nuclei_volume(shape: tuple[int, int, int] = (24, 128, 128), *, seed: int = 0) -> VolumeScene:
    """Draw a stack of nuclei.

    Parameters
    ----------
    shape : (planes, rows, columns)
        Of voxels of `PIXEL_SIZE`; at least 8 planes of 32 x 32 pixels, so that nuclei fit in.
    seed : from 0; the same seed gives the same scene

    Returns
    -------
    scene : VolumeScene

    Raises
    ------
    ConfigError
        If the shape is too small.
    """
    if len(shape) != 3 or shape[0] < 8 or min(shape[1:]) < 32:
        raise ConfigError(f"Shape {shape} is too small: expected at least (8, 32, 32).")
    rng = np.random.default_rng(seed)
    voxel = np.array([PIXEL_SIZE.plane, PIXEL_SIZE.row, PIXEL_SIZE.col], np.float64)
    labels = _grow(rng, shape, voxel)
    return VolumeScene(recorded(rng, _light(rng, labels), voxel), labels, PIXEL_SIZE)


def recorded(
    rng: np.random.Generator, light: NDArray[np.floating], voxel: NDArray[np.float64]
) -> NDArray[np.uint16]:
    """Return what a confocal microscope counts: blurred, with a haze, and noisy.

    Parameters
    ----------
    light : shape (planes, H, W) or (H, W)
        About 1 inside objects, 0 outside.
    voxel : shape (light.ndim,)
        Distance of neighbouring voxels along each axis, in um.
    """
    blur = np.array(BLUR_UM)[-light.ndim :] / voxel
    blurred = ndimage.gaussian_filter(light, blur)
    haze = ndimage.gaussian_filter(light, 6 * blur, truncate=2.5)
    counts = _DARK + _BRIGHT * (blurred + _GLOW * haze)
    noisy = rng.poisson(counts / 4) * 4 + rng.normal(0, _READ_NOISE, light.shape)
    return np.clip(np.rint(noisy), 0, 65535).astype(np.uint16)


def _grow(
    rng: np.random.Generator, shape: tuple[int, int, int], voxel: NDArray[np.float64]
) -> NDArray[np.int32]:
    """Fill a volume with lumpy ellipsoids that may touch and never overlap."""
    extent = np.array(shape) * voxel
    labels = np.zeros(shape, np.int32)
    nearest = np.ones(shape, np.float32)  # distance to the owner, 1 at its surface
    lumps = ndimage.gaussian_filter(rng.standard_normal(shape), 1.2 / voxel)
    lumps = (0.08 / lumps.std() * lumps).astype(np.float32)
    centres, radii, filled = np.empty((0, 3)), np.empty(0), 0.0
    for _ in range(_TRIES):
        if filled >= SHARE * extent.prod():
            break
        radius = rng.uniform(*RADIUS_UM)
        # Nuclei may be cut at the sides, as in a field of view, but hardly above and below.
        low = np.array([0.6 * radius, 0.0, 0.0])
        centre = rng.uniform(low, extent - low)
        apart = np.linalg.norm(centres - centre, axis=1)
        if (apart < 0.95 * (radii + radius)).any():
            continue
        centres, radii = np.vstack([centres, centre]), np.append(radii, radius)
        filled += 4 / 3 * np.pi * radius**3
        axes = radius * np.exp(rng.normal(0, 0.08, 3))
        turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
        window = tuple(
            slice(max(0, int((c - 1.5 * radius) / v)), int((c + 1.5 * radius) / v) + 2)
            for c, v in zip(centre, voxel, strict=True)
        )
        grid = np.stack(
            np.meshgrid(
                *(np.arange(n)[w] for n, w in zip(shape, window, strict=True)), indexing="ij"
            ),
            axis=-1,
        )
        away = ((grid + 0.5) * voxel - centre) @ turn / axes
        distance = np.linalg.norm(away, axis=-1).astype(np.float32) + lumps[window]
        mine = distance < nearest[window]
        nearest[window][mine] = distance[mine]
        labels[window][mine] = len(radii)
    return labels


def _light(rng: np.random.Generator, labels: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return how brightly each voxel shines, about 1 inside nuclei: unequal, and mottled."""
    each = np.exp(rng.normal(0, 0.2, int(labels.max()) + 1))
    each[0] = 0.0
    mottle = ndimage.gaussian_filter(rng.standard_normal(labels.shape), (0.8, 2.0, 2.0))
    return np.asarray(each[labels] * np.clip(1 + 0.18 / mottle.std() * mottle, 0.3, None))
