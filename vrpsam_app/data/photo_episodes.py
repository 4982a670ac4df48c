"""Episodes made of scikit-image's own photographs: what tests, docs and demos look at.

No model is trained on these pictures. Each episode asks one picture for what is shown in another,
and holds a second kind of object that looks as bright as the first, so that neither a threshold nor
a model that ignores the reference passes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vrpsam_app.annotations import Annotation, Box, Point, Scribble

STROKES = 4

Image = NDArray[np.uint8]
Truth = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class PhotoEpisode:
    """One question: marks on a reference, a target, and what is asked for in it.

    Attributes
    ----------
    reference, target : shape (H, W) or (H, W, 3), uint8
    marks : tuple of Annotation
        On the reference.
    truth : shape (H, W), bool
        In the target.
    other : shape (H, W), bool
        The look-alike in the target.
    """

    reference: Image
    marks: tuple[Annotation, ...]
    target: Image
    truth: Truth
    other: Truth


def coin_mask() -> Truth:
    """Outline the coins of ``skimage.data.coins`` by watershed from sure markers."""
    from skimage import data, filters, segmentation

    coins = data.coins()
    markers = np.zeros(coins.shape, np.int32)
    markers[coins < 30] = 1
    markers[coins > 150] = 2
    flooded = segmentation.watershed(filters.sobel(coins), markers)
    filled = ndimage.binary_fill_holes(flooded == 2)
    mask: Truth = ndimage.binary_opening(filled, iterations=2)
    return mask


def coins(kind: str = "box") -> PhotoEpisode:
    """Ask for coins, or for the ground between them, in a changed copy of the coins.

    The target is the picture mirrored, brightened and shrunk to 80 %.

    Parameters
    ----------
    kind : {"box", "point", "background"}
        One coin boxed, one coin clicked, or three strokes on the ground.
    """
    from skimage import data, transform

    picture, mask = data.coins(), coin_mask()
    shape = (round(0.8 * picture.shape[0]), round(0.8 * picture.shape[1]))
    small = transform.resize(picture[:, ::-1], shape, anti_aliasing=True, preserve_range=True)
    target = np.clip(small * 1.15 + 12, 0, 255).astype(np.uint8)
    found = transform.resize(mask[:, ::-1].astype(float), shape, anti_aliasing=True) > 0.5
    numbered, _ = ndimage.label(mask)
    rows, cols = ndimage.find_objects(numbered)[numbered[120, 205] - 1]
    # Between the rows of coins, from the bright top of the ground to its dark bottom.
    gaps = ((84.0, 30.0), (157.0, 60.0), (228.0, 100.0))
    marks: dict[str, tuple[Annotation, ...]] = {
        "box": (
            Box(top=rows.start - 2, left=cols.start - 3, bottom=rows.stop + 3, right=cols.stop),
        ),
        "point": (Point(row=(rows.start + rows.stop) / 2, col=(cols.start + cols.stop) / 2),),
        "background": tuple(
            Scribble(vertices=((row, col), (row, col + 220)), width=8) for row, col in gaps
        ),
    }
    truth, other = (~found, found) if kind == "background" else (found, ~found)
    return PhotoEpisode(picture, marks[kind], target, truth, other)


def look_alikes(kind: str = "gravel") -> PhotoEpisode:
    """Ask for one of two kinds of stones of equal brightness, cut from photographed textures.

    Discs of gravel and of brick lie on grass. Mean and deviation of the two are made equal, and
    each covers as much as the other, so that no threshold tells them apart.

    Parameters
    ----------
    kind : {"gravel", "brick"}
    """
    reference, gravel, brick = _stones(seed=3)
    target, target_gravel, target_brick = _stones(seed=4)
    shown = gravel if kind == "gravel" else brick
    truths = (target_gravel, target_brick) if kind == "gravel" else (target_brick, target_gravel)
    numbered, _ = ndimage.label(shown)
    rows, cols = ndimage.find_objects(numbered)[0]
    box = Box(top=rows.start, left=cols.start, bottom=rows.stop, right=cols.stop)
    return PhotoEpisode(reference, (box,), target, *truths)


def stains(kind: str = "brown") -> PhotoEpisode:
    """Ask for the brown or the blue stain in the other half of a tissue section.

    Four strokes show the stain in different places. The truth comes from colour deconvolution of
    the two stains.

    Parameters
    ----------
    kind : {"brown", "blue"}
    """
    from skimage import color, data, filters

    tissue = data.immunohistochemistry()
    separated = ndimage.gaussian_filter(color.rgb2hed(tissue), (1.5, 1.5, 0))
    brown = separated[..., 2] > filters.threshold_otsu(separated[..., 2])
    blue = (separated[..., 0] > filters.threshold_otsu(separated[..., 0])) & ~brown
    half = tissue.shape[1] // 2
    shown = (brown if kind == "brown" else blue)[:, :half]
    framed = np.pad(ndimage.binary_opening(shown, iterations=2)[1:-1, 1:-1], 1)
    depth = ndimage.distance_transform_edt(framed)
    strokes = []
    for _ in range(STROKES):
        # The deepest place, then the deepest one away from it.
        row, col = np.unravel_index(int(depth.argmax()), depth.shape)
        reach = max(2.0, float(depth[row, col]) * 0.7)
        top, left = float(row) + 0.5 - reach, float(col) + 0.5
        strokes.append(
            Scribble(vertices=((top, left), (top + 2 * reach, left)), width=max(3.0, reach / 2))
        )
        rows, cols = np.ogrid[: depth.shape[0], : depth.shape[1]]
        depth[np.hypot(rows - row, cols - col) < 60] = 0
    truths = (brown, blue) if kind == "brown" else (blue, brown)
    return PhotoEpisode(
        np.ascontiguousarray(tissue[:, :half]),
        tuple(strokes),
        np.ascontiguousarray(tissue[:, half:]),
        truths[0][:, half:],
        truths[1][:, half:],
    )


def _stones(seed: int, side: int = 384, count: int = 7) -> tuple[Image, Truth, Truth]:
    """Lay discs of two textures on a third; return picture, gravel and brick masks."""
    from skimage import data

    rng = np.random.default_rng(seed)
    textures = {name: getattr(data, name)().astype(float) for name in ("gravel", "brick", "grass")}
    picture = _normalised(_cut(textures["grass"], side, rng), mean=84, deviation=27)
    masks = {name: np.zeros((side, side), bool) for name in ("gravel", "brick")}
    row, col = np.mgrid[:side, :side] + 0.5
    placed: list[tuple[float, float, float]] = []
    while len(placed) < 2 * count:
        radius = rng.uniform(26, 38)
        r, c = rng.uniform(radius + 2, side - radius - 2, 2)
        if any(np.hypot(r - y, c - x) < radius + other + 4 for y, x, other in placed):
            continue
        name = "gravel" if len(placed) % 2 == 0 else "brick"
        disc = np.hypot(row - r, col - c) < radius
        cut = _cut(textures[name], side, rng)
        picture[disc] = _normalised(cut[disc], mean=140, deviation=32)
        masks[name] |= disc
        placed.append((r, c, radius))
    return np.clip(picture, 0, 255).astype(np.uint8), masks["gravel"], masks["brick"]


def _cut(texture: NDArray[np.float64], side: int, rng: np.random.Generator) -> NDArray[np.float64]:
    top, left = rng.integers(0, texture.shape[0] - side + 1, 2)
    return texture[top : top + side, left : left + side].copy()


def _normalised(
    values: NDArray[np.float64], *, mean: float, deviation: float
) -> NDArray[np.float64]:
    return (values - values.mean()) / values.std() * deviation + mean
