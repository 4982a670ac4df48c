"""The pictures the web app opens with: a marked reference, two targets with coins and one without.

They are made from photographs inside scikit-image's wheel, so nothing is fetched and no picture is
shipped: a plate of Greek coins from Pompeii, the same coins lost in the grass, and grass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# One coin of the plate, in the second row: left, top, right, bottom in pixels.
_COIN_BOX_XYXY = (183, 103, 226, 147)

# Where coins lie in the grass: (row, column) of the middle, index of the coin in reading order, and
# its diameter in pixels. Chosen by eye.
_IN_THE_GRASS = (
    (62, 96, 0, 70),
    (170, 302, 7, 58),
    (256, 66, 3, 74),
    (346, 172, 17, 60),
    (322, 366, 10, 66),
    (72, 440, 12, 74),
    (200, 556, 21, 60),
    (322, 522, 5, 84),
)
_GRASS_HW = (400, 600)
_SHADE = 0.5


@dataclass(frozen=True, eq=False)
class Example:
    """What the page shows before anyone has brought a picture.

    Parameters
    ----------
    reference : shape (H, W) or (H, W, 3), uint8
        The picture that carries the marks.
    marks
        Marks on it in the JSON form of :mod:`vrpsam_app.annotations`, (x, y) in pixels.
    targets
        Name -> picture to look in, shape (H, W) or (H, W, 3), uint8. The last one holds no coin.
    """

    reference: NDArray[np.uint8]
    marks: tuple[Mapping[str, Any], ...]
    targets: Mapping[str, NDArray[np.uint8]]


def coin_example() -> Example:
    """Make the pictures; the same bytes every time.

    Examples
    --------
    >>> from vrpsam_app.web.examples import coin_example
    >>> example = coin_example()
    >>> [name for name in example.targets]
    ['coins-lighter', 'coins-in-the-grass', 'grass']
    """
    from skimage import data

    plate: NDArray[np.uint8] = data.coins()
    return Example(
        reference=plate,
        marks=({"type": "box", "xyxy": list(_COIN_BOX_XYXY), "positive": True},),
        targets={
            "coins-lighter": _lighter_half(plate),
            "coins-in-the-grass": _coins_in_the_grass(plate, _grass(data.grass()[:, ::-1])),
            "grass": _grass(data.grass()),
        },
    )


def _lighter_half(plate: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Take the lower two rows of the plate, mirror, enlarge and brighten them."""
    from skimage.transform import resize

    half = plate[150:, ::-1]
    enlarged = resize(half, (half.shape[0] * 8 // 5, half.shape[1] * 8 // 5), order=3)
    lighter = np.clip(enlarged, 0.0, 1.0) ** 0.7 * 0.85 + 0.12
    return np.rint(lighter * 255).astype(np.uint8)


def _grass(lawn: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Take a part of the lawn, in the shade."""
    height, width = _GRASS_HW
    rows = np.pad(lawn, ((0, 0), (0, width - lawn.shape[1])), mode="reflect")
    return np.rint(rows[:height] * _SHADE).astype(np.uint8)


def _coins_in_the_grass(plate: NDArray[np.uint8], grass: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut coins out of the plate and lay them, with a soft shadow, in the grass."""
    from skimage.filters import gaussian
    from skimage.transform import resize

    coins = _cut_coins(plate)
    scene = grass.astype(np.float32) / 255
    for row, column, index, diameter in _IN_THE_GRASS:
        grey, cover = coins[index]
        scale = diameter / max(grey.shape)
        hw = (round(grey.shape[0] * scale), round(grey.shape[1] * scale))
        grey, cover = resize(grey, hw, order=3), np.clip(resize(cover, hw, order=1), 0, 1)
        pad = 8
        cover, grey = np.pad(cover, pad), np.pad(grey, pad)
        top, left = row - cover.shape[0] // 2, column - cover.shape[1] // 2
        place = (slice(top, top + cover.shape[0]), slice(left, left + cover.shape[1]))
        shadow = gaussian(np.roll(cover, (3, 2), axis=(0, 1)), 3.0)
        scene[place] *= 1 - 0.55 * shadow
        scene[place] += (grey - scene[place]) * cover
    return np.rint(np.clip(scene, 0, 1) * 255).astype(np.uint8)


def _cut_coins(
    plate: NDArray[np.uint8],
) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Return (grey values, soft cover) of every whole coin, row by row from the left."""
    from scipy.ndimage import binary_fill_holes
    from skimage.filters import gaussian, threshold_local
    from skimage.measure import label, regionprops
    from skimage.morphology import disk, opening

    solid = binary_fill_holes(plate > threshold_local(plate, 101, offset=-8))
    regions = [
        region
        for region in regionprops(label(opening(solid, disk(4))))
        if region.area > 700 and region.solidity > 0.9
    ]
    regions.sort(key=lambda region: (round(region.centroid[0] / 75), region.centroid[1]))
    cuts = []
    for region in regions:
        top, left, bottom, right = region.bbox
        grey = plate[top:bottom, left:right].astype(np.float32) / np.float32(255)
        cover = gaussian(region.image_filled.astype(np.float32), 1.0)
        cuts.append((grey, np.asarray(cover, dtype=np.float32)))
    return cuts
