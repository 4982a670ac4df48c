"""From a mask to single objects: connected parts, cut where they touch, filtered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vrpsam_app.annotation_types import as_mask
from vrpsam_app.errors import ConfigError
from vrpsam_app.label_images import count_objects, renumbered
from vrpsam_app.objects.watersheds import (
    SplitMethod,
    check_map,
    grey_values,
    pieces_of,
    split_mask,
)
from vrpsam_app.option_text import TextOptions, check_choice, check_number, check_switch
from vrpsam_app.segmenter import Prediction
from vrpsam_app.stacks.stack import PIXEL_UNIT, PixelSize, unit_of_length

if TYPE_CHECKING:
    from vrpsam_app.references import Reference


SPECK = 0.05
"""Share of a typical object's area below which something is a speck and no object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectOptions(TextOptions):
    """How a mask becomes objects, and which of them stay.

    Attributes
    ----------
    method : {"distance", "components", "intensity", "probability"}
        ``components``: connected parts. The others cut them as well, by a watershed: ``distance``
        at their necks, ``intensity`` between their brightest places (darkest, for objects darker
        than what surrounds them), ``probability`` where the model is least sure.
    diagonal : whether pixels that touch at a corner only are connected
    diameter : of the largest circle that fits in a typical object; None finds it
        By :func:`typical_diameter` where there are references, else from the mask itself.
    min_area, max_area : objects that are smaller or larger are left out
        A `min_area` of None is a twentieth of a typical object's where `diameter` or references
        tell that, else 0.
    clear_border : whether objects that touch the border of the image are left out
    min_score : objects are left out whose mean probability, or SAM's own score, is lower
    prompts : whether SAM is asked again for each object, by a point and a box
    unit : of `diameter`, and squared of the areas: "px" or a unit of length such as "um"

    Notes
    -----
    Objects that go through the planes of a stack stay or are left out whole: their area is the
    largest that they have in any plane, they touch the border if they do in any plane (the first
    and the last plane are no border), and their score is the mean over all their pixels.

    Raises
    ------
    ConfigError
        If a value makes no sense.

    Examples
    --------
    >>> options = ObjectOptions.from_text("components,min-area=20")
    >>> options.min_area, str(options)
    (20.0, 'components,min-area=20')
    """

    method: SplitMethod = "distance"
    diagonal: bool = False
    diameter: float | None = None
    min_area: float | None = None
    max_area: float | None = None
    clear_border: bool = False
    min_score: float = 0.0
    prompts: bool = False
    unit: str = PIXEL_UNIT

    def __post_init__(self) -> None:
        check_choice(self, "method")
        for switch in ("diagonal", "clear_border", "prompts"):
            check_switch(self, switch)
        check_number(self, "diameter", 1e-9)
        check_number(self, "min_area", 0)
        check_number(self, "max_area", self.min_area or 0)
        check_number(self, "min_score", 0, 1)
        if self.min_score is None:
            raise ConfigError("Min-score is None: expected a number, 0 for no limit.")
        unit = self.unit if self.unit == PIXEL_UNIT else unit_of_length(str(self.unit))
        if unit is None:
            raise ConfigError(f"Unit is {self.unit!r}: expected px, or a length such as um.")
        object.__setattr__(self, "unit", unit)

    def in_pixels(self, pixel_size: PixelSize | None) -> ObjectOptions:
        """Return the same options with lengths and areas in pixels.

        Raises
        ------
        ConfigError
            If they are in a unit of length and the pixel size is unknown.
        """
        if self.unit == PIXEL_UNIT:
            return self
        if pixel_size is None:
            raise ConfigError(
                f"Sizes of objects are given in {self.unit}, but the pixel size is unknown: give "
                "it, or give sizes in pixels."
            )
        size = pixel_size.to(self.unit)
        area = size.row * size.col
        return replace(
            self,
            diameter=None if self.diameter is None else self.diameter / area**0.5,
            min_area=None if self.min_area is None else self.min_area / area,
            max_area=None if self.max_area is None else self.max_area / area,
            unit=PIXEL_UNIT,
        )

    def resolved(
        self, pixel_size: PixelSize | None = None, diameter: float | None = None
    ) -> ObjectOptions:
        """Return the same options in pixels, with what follows from a typical object's size.

        Parameters
        ----------
        pixel_size : of the image
        diameter : typical one in pixels, where the options name none

        Raises
        ------
        ConfigError
            As for :meth:`in_pixels`.
        """
        chosen = self.in_pixels(pixel_size)
        typical = chosen.diameter or diameter
        least = chosen.min_area
        if least is None:
            least = 0.0 if typical is None else SPECK * np.pi / 4 * typical**2
        if chosen.max_area is not None:
            least = min(least, chosen.max_area)
        return replace(chosen, diameter=typical, min_area=float(least))

    def without_filters(self) -> ObjectOptions:
        """Return the same cut, of which every object stays."""
        return replace(self, min_area=0.0, max_area=None, clear_border=False, min_score=0.0)


DEFAULT_OBJECTS = ObjectOptions()
"""What is done where nothing else is said."""


def instances_of(
    found: Prediction | ArrayLike,
    options: ObjectOptions = DEFAULT_OBJECTS,
    *,
    probability: ArrayLike | None = None,
    image: ArrayLike | None = None,
    pixel_size: PixelSize | None = None,
    diameter: float | None = None,
) -> NDArray[np.int32]:
    """Cut a mask into objects.

    Parameters
    ----------
    found : Prediction, or shape (H, W)
        Not 0 where an object is. Objects that a method told apart by itself, the prediction's
        `instance_labels`, are not cut again.
    options : ObjectOptions
        `prompts` is left to :func:`vrpsam_app.objects.prompts.prompt_objects`.
    probability : shape (H, W), in [0, 1]
        That of the prediction if there is one; needed for ``probability`` and `min_score` else.
    image : shape (H, W), (H, W, 3) or (H, W, 4)
        Needed for ``intensity``.
    pixel_size : of the image, for options in a unit of length
    diameter : typical one in pixels where the options name none, see :func:`typical_diameter`

    Returns
    -------
    instance_labels : shape (H, W), int32
        1 to N, 0 for background.

    Raises
    ------
    ImageError
        If sizes differ.
    ConfigError
        If the options need what is not given.
    """
    chosen = options.resolved(pixel_size, diameter)
    if isinstance(found, Prediction):
        probability = found.probability if probability is None else probability
        if found.instance_labels is not None:
            return filter_objects(found.instance_labels, chosen, probability=probability)
        found = found.mask
    mask = as_mask(found)
    labels = split_mask(
        mask,
        chosen.method,
        diameter=chosen.diameter or width_of(mask),
        diagonal=chosen.diagonal,
        probability=probability,
        image=image,
    )
    return filter_objects(labels, chosen, probability=probability)


def without_small_pieces(mask: NDArray[np.bool_], smallest: int) -> NDArray[np.bool_]:
    """Return a mask without connected pieces of fewer than `smallest` pixels.

    Pixels that touch at a corner only belong to different pieces.
    """
    if smallest <= 1:
        return mask
    pieces = instances_of(mask, ObjectOptions(method="components", min_area=smallest))
    return np.asarray(pieces > 0)


def filter_objects(
    instance_labels: ArrayLike,
    options: ObjectOptions,
    *,
    probability: ArrayLike | None = None,
    scores: NDArray[np.floating] | None = None,
    pixel_size: PixelSize | None = None,
) -> NDArray[np.int32]:
    """Leave out objects by size, border and score, and number the others without gaps.

    Parameters
    ----------
    instance_labels : shape (H, W), integer
    options : ObjectOptions
        Only its filters.
    probability : shape (H, W), in [0, 1]
        Its mean inside an object is the object's score.
    scores : shape (N,), float
        Scores from elsewhere, in the order of the objects' numbers; `probability` is then ignored.
    pixel_size : of the image, for options in a unit of length

    Returns
    -------
    instance_labels : shape (H, W), int32

    Raises
    ------
    ConfigError
        If there is a `min_score`, but nothing to tell scores from.
    """
    chosen = options.resolved(pixel_size)
    check_scores(chosen, known=scores is not None or probability is not None)
    counts = count_objects(instance_labels)
    edges = counts.dense[0], counts.dense[-1], counts.dense[:, 0], counts.dense[:, -1]
    on_border = np.zeros(len(counts.ids) + 1, bool)
    on_border[np.concatenate(edges)] = True
    if chosen.min_score > 0 and scores is None:
        scores = mean_inside(counts.dense, probability)
    kept = objects_that_stay(chosen, counts.pixels, on_border[1:], scores)
    numbers = np.zeros(len(kept) + 1, np.int32)
    numbers[1:][kept] = np.arange(1, kept.sum() + 1)
    return renumbered(counts.dense, numbers)


def objects_that_stay(
    options: ObjectOptions,
    areas: NDArray[np.integer[Any]],
    on_border: NDArray[np.bool_],
    scores: NDArray[np.floating] | None = None,
) -> NDArray[np.bool_]:
    """Tell which objects the filters leave.

    Parameters
    ----------
    options : resolved
    areas : shape (N,), in pixels
    on_border : shape (N,)
    scores : shape (N,); needed where there is a `min_score`
    """
    kept = areas >= (options.min_area or 0)
    if options.max_area is not None:
        kept &= areas <= options.max_area
    if options.clear_border:
        kept &= ~on_border
    if options.min_score > 0 and scores is not None:
        kept &= scores >= options.min_score
    return np.asarray(kept)


def check_scores(options: ObjectOptions, *, known: bool) -> None:
    """Make sure that the scores of objects are known where they are filtered by them.

    Raises
    ------
    ConfigError
        If they are not.
    """
    if options.min_score > 0 and not known:
        raise ConfigError(
            "Min-score needs probabilities, which a mask does not have: leave it out, or segment "
            "and cut into objects in one go."
        )


def mean_inside(instance_labels: ArrayLike, values: ArrayLike | None) -> NDArray[np.float64]:
    """Average a map inside each object.

    Parameters
    ----------
    instance_labels : shape (H, W), integer
    values : shape (H, W)

    Returns
    -------
    means : shape (N,), float64
        In the order of the objects' numbers.
    """
    counts = count_objects(instance_labels)
    array = check_map(values, counts.dense.shape, "The map")
    total = np.zeros(len(counts.ids) + 1)
    for row, numbers in enumerate(counts.dense):
        np.add.at(total, numbers, grey_values(array[row : row + 1])[0])
    means: NDArray[np.float64] = total[1:] / counts.pixels
    return means


def width_of(mask: ArrayLike) -> float:
    """Return the diameter in pixels of the largest circle that fits in a typical part of a mask.

    Parameters
    ----------
    mask : shape (H, W)

    Returns
    -------
    diameter : the median over the parts, by area, so that neither specks nor the number of
        objects that touch count; 1 for an empty mask
    """
    from scipy import ndimage

    area = as_mask(mask)
    if not area.any() or area.all():
        return float(min(area.shape)) if area.any() else 1.0
    parts = [
        (ndimage.distance_transform_edt(inside).max(), np.count_nonzero(inside))
        for _, inside in pieces_of(area)
    ]
    inner, pixels = (np.array(column) for column in zip(*parts, strict=True))
    order = np.argsort(inner, kind="stable")
    covered = np.cumsum(pixels[order])
    middle = int(np.searchsorted(covered, covered[-1] / 2))
    return float(max(1.0, 2 * inner[order][middle] - 1))


def typical_diameter(references: Iterable[Reference]) -> float | None:
    """Return how wide an object of the references is, in pixels of their images.

    Parameters
    ----------
    references : Reference or sequence of Reference
        Masks and boxes tell it. Points and strokes do not, nor do "not this" references.

    Returns
    -------
    diameter : of the largest circle that fits in a typical object; None if nothing tells
    """
    told = [
        width_of(reference.positive)
        for reference in references
        if reference.kind in ("mask", "box") and not reference.is_not_this
    ]
    return float(np.median(told)) if told else None
