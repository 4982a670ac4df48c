"""Cut-outs of objects pasted on backgrounds: labelled pictures from a handful of labelled ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vrpsam_app.data.folder_layout import IMAGE_SUFFIXES
from vrpsam_app.errors import ConfigError, ImageError, ImageFileError
from vrpsam_app.geometry import resize_bilinear
from vrpsam_app.image_files import read_image, write_image
from vrpsam_app.images import to_rgb
from vrpsam_app.label_files import write_labels
from vrpsam_app.output_paths import prepare_folder

MOST_OVERLAP = 0.2
"""Share of an object that a later one may cover."""

TRIES = 12
"""Places that are tried for an object before it is left out."""

LEAST_SIDE = 8
"""Pixels that the shorter side of a pasted object keeps."""

FEATHER = 0.7
"""Standard deviation, in pixels, by which edges are softened: cut-outs end too sharply."""


@dataclass(frozen=True, slots=True, eq=False)
class CutOut:
    """One object without its surroundings.

    Attributes
    ----------
    rgb : shape (h, w, 3), uint8
    alpha : shape (h, w), float32 in [0, 1]
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.float32]

    @classmethod
    def of(cls, image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> CutOut:
        """Cut an object out of a picture by its mask.

        Raises
        ------
        ImageError
            If the mask is empty or has another size.
        """
        if image.shape[:2] != mask.shape or not mask.any():
            raise ImageError(
                f"A mask of shape {mask.shape} with {int(mask.sum())} pixels cuts nothing out of a "
                f"picture of shape {image.shape}: expected one of its size that is not empty."
            )
        rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        window = slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1)
        return cls(to_rgb(image)[window].copy(), mask[window].astype(np.float32))

    @classmethod
    def read(cls, path: str | Path) -> CutOut:
        """Read a picture with transparency.

        Raises
        ------
        ImageFileError
            If it cannot be read, has no transparency, or is transparent everywhere.
        """
        pixels = read_image(path)
        if pixels.ndim != 3 or pixels.shape[2] != 4 or not (pixels[..., 3] > 127).any():
            raise ImageFileError(
                f"{path} has shape {pixels.shape}: expected a picture with transparency around an "
                "object, such as a PNG that vrpsam cutout wrote."
            )
        opaque = pixels[..., 3] > 127
        whole = cls.of(np.ascontiguousarray(pixels[..., :3]), opaque)
        rows, cols = np.flatnonzero(opaque.any(1)), np.flatnonzero(opaque.any(0))
        window = slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1)
        return cls(whole.rgb, (pixels[..., 3][window] / 255).astype(np.float32))


@dataclass(frozen=True, slots=True, kw_only=True)
class PastingSettings:
    """How cut-outs lie on backgrounds.

    Attributes
    ----------
    objects : fewest and most in a picture
    size : longer side of an object as a share of the background's shorter side, least and most
    turn : degrees, to both sides
    slant : how far each corner may move, as a share of the object's side
    match : how far brightness and contrast follow the place where an object lies, 0 to 1
    side : longer side of the pictures in pixels; larger backgrounds are reduced
    """

    objects: tuple[int, int] = (1, 3)
    size: tuple[float, float] = (0.2, 0.6)
    turn: float = 8.0
    slant: float = 0.12
    match: float = 0.35
    side: int = 512

    def __post_init__(self) -> None:
        good = (
            1 <= self.objects[0] <= self.objects[1]
            and 0 < self.size[0] <= self.size[1] <= 1
            and 0 <= self.slant < 0.5
            and 0 <= self.match <= 1
            and self.side >= 32
        )
        if not good:
            raise ConfigError(
                f"{self} cannot be pasted by: expected at least one object, sizes up to 1 with the "
                "smaller one first, slant below 0.5, match from 0 to 1, pictures of 32 pixels or "
                "more."
            )


def compose(
    rng: np.random.Generator,
    cut_outs: Sequence[CutOut],
    background: NDArray[np.uint8],
    settings: PastingSettings | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Paste objects on a background.

    Parameters
    ----------
    rng : generator
    cut_outs : one or more to choose from
    background : shape (H, W, 3)
    settings : PastingSettings

    Returns
    -------
    image : shape (H', W', 3), uint8
    objects : shape (H', W'), int32
        Number of the object, 0 elsewhere.
    """
    settings = settings or PastingSettings()
    scale = min(1.0, settings.side / max(background.shape[:2]))
    hw = tuple(max(LEAST_SIDE, round(n * scale)) for n in background.shape[:2])
    image = resize_bilinear(to_rgb(background), (hw[0], hw[1])).astype(np.float32)
    objects = np.zeros(image.shape[:2], np.int32)
    wanted = int(rng.integers(settings.objects[0], settings.objects[1] + 1))
    for number in range(1, wanted + 1):
        cut_out = cut_outs[int(rng.integers(len(cut_outs)))]
        for _ in range(TRIES):
            rgb, alpha = _placed(rng, cut_out, objects.shape, settings)
            inside = alpha > 0.5
            if not inside.any() or _covers_too_much(objects, inside):
                continue
            rgb = _matched(rgb, image, inside, settings.match)
            image += alpha[..., None] * (rgb - image)
            objects[inside] = number
            break
    return np.clip(image + 0.5, 0, 255).astype(np.uint8), objects


def compose_folder(
    folder: str | Path,
    cut_outs: Sequence[CutOut],
    backgrounds: Sequence[Path],
    *,
    count: int,
    label: str,
    seed: int = 0,
    settings: PastingSettings | None = None,
) -> Path:
    """Write a labelled folder of composed pictures: ``images/``, ``masks/``, ``meta.json``.

    Each background is taken as often as the others. The same arguments give the same pictures.

    Raises
    ------
    ConfigError
        If there is nothing to paste or nothing to paste on.
    OutputError
        If a picture of that name is there already.
    """
    if not cut_outs or not backgrounds or count < 1:
        raise ConfigError(
            f"{count} pictures of {len(cut_outs)} cut-outs on {len(backgrounds)} backgrounds "
            "cannot be made: expected at least one of each."
        )
    root = Path(folder)
    images, masks = prepare_folder(root / "images"), prepare_folder(root / "masks")
    digits = len(str(count - 1))
    for index in range(count):
        rng = np.random.default_rng([seed, index])
        background = to_rgb(read_image(backgrounds[index % len(backgrounds)]))
        image, objects = compose(rng, cut_outs, background, settings)
        name = f"{index:0{digits}d}"
        write_image(images / f"{name}.png", image)
        write_labels(masks / f"{name}.png", objects.astype(np.uint16))
    meta = {"kind": "instance", "classes": [label], "made_by": "cut-outs on backgrounds"}
    (root / "meta.json").write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
    return root


def pictures_in(folder: str | Path) -> list[Path]:
    """List the pictures of a folder by name.

    Raises
    ------
    ImageFileError
        If there is none.
    """
    root = Path(folder)
    found = (
        sorted(p for p in root.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
        if root.is_dir()
        else []
    )
    if not found:
        raise ImageFileError(
            f"{root} holds no pictures: expected a folder with {', '.join(IMAGE_SUFFIXES)} files."
        )
    return found


def _placed(
    rng: np.random.Generator, cut_out: CutOut, hw: tuple[int, ...], settings: PastingSettings
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Bring an object to a random place, size and slant: (H, W, 3) and its alpha (H, W)."""
    height, width = cut_out.alpha.shape
    longer = min(hw[:2]) * rng.uniform(*settings.size)
    scale = max(longer / max(height, width), LEAST_SIDE / min(height, width))
    size = np.array([width, height]) * scale
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) - 0.5
    corners = (corners + rng.uniform(-settings.slant, settings.slant, (4, 2))) * size
    angle = np.deg2rad(rng.uniform(-settings.turn, settings.turn))
    turned = corners @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    room = np.maximum(np.array(hw[1::-1]) - np.ptp(turned, axis=0), 0)
    there = turned - turned.min(0) + rng.uniform(0, 1, 2) * room
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
    back = _homography(there, source)
    rows, cols = np.mgrid[: hw[0], : hw[1]] + 0.5
    x, y, w = back @ np.stack([cols.ravel(), rows.ravel(), np.ones(rows.size)])
    # Behind the plane's horizon nothing is seen.
    seen = w > 1e-6
    at = np.where(seen, [y / np.where(seen, w, 1), x / np.where(seen, w, 1)], -9.0) - 0.5
    layers = np.dstack([cut_out.rgb.astype(np.float32), cut_out.alpha])
    if scale < 1:  # averaged first, so that nothing aliases
        layers = ndimage.gaussian_filter(layers, (0.5 / scale - 0.5, 0.5 / scale - 0.5, 0))
    warped = np.stack(
        [
            ndimage.map_coordinates(layers[..., c], at, order=1, mode=mode).reshape(hw[:2])
            for c, mode in zip(range(4), ("nearest",) * 3 + ("constant",), strict=True)
        ],
        axis=-1,
    )
    alpha = np.clip(ndimage.gaussian_filter(warped[..., 3], FEATHER), 0, 1)
    return warped[..., :3].astype(np.float32), alpha.astype(np.float32)


def _homography(points: NDArray[np.float64], images: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the 3 x 3 matrix that takes four points to four others, all (x, y)."""
    rows = []
    for (x, y), (u, v) in zip(points, images, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y, -u])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y, -v])
    matrix = np.linalg.svd(np.array(rows))[2][-1].reshape(3, 3)
    centre = points.mean(0)
    # Its sign is open; the object lies in front.
    return matrix if matrix[2] @ [*centre, 1] > 0 else -matrix


def _covers_too_much(objects: NDArray[np.int32], inside: NDArray[np.bool_]) -> bool:
    areas = np.bincount(objects.ravel()).astype(float)
    covered = np.bincount(objects[inside].ravel(), minlength=len(areas))
    areas[0] = np.inf
    return bool((covered > MOST_OVERLAP * np.maximum(areas, 1)).any())


def _matched(
    rgb: NDArray[np.float32], image: NDArray[np.float32], inside: NDArray[np.bool_], share: float
) -> NDArray[np.float32]:
    """Move brightness and contrast of an object part of the way to those of its place."""
    own, there = rgb[inside].mean(1), image[inside].mean(1)
    gain = 1 + share * (float(np.clip(there.std() / max(own.std(), 1e-3), 0.5, 2.0)) - 1)
    target = own.mean() + share * (there.mean() - own.mean())
    return (rgb - own.mean()) * np.float32(gain) + np.float32(target)
