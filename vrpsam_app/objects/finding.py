"""From what was found to single objects: cut, asked for again, filtered, scored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ConfigError
from vrpsam_app.images import IntensityRange
from vrpsam_app.label_images import check_labels
from vrpsam_app.objects.instances import (
    DEFAULT_OBJECTS,
    ObjectOptions,
    filter_objects,
    instances_of,
    mean_inside,
    typical_diameter,
)
from vrpsam_app.objects.linking import LinkOptions, link_planes
from vrpsam_app.objects.prompts import PromptedSegmenter, prompt_objects
from vrpsam_app.progress import CancelToken
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction
from vrpsam_app.stacks.stack import PixelSize, Stack
from vrpsam_app.tiles.object_scale import pixel_ratio


@dataclass(frozen=True, eq=False)
class FoundObjects:
    """The objects of one class in one plane.

    Attributes
    ----------
    instance_labels : shape (H, W), int32
        1 to N, 0 for background.
    scores : shape (N,), float64 in [0, 1]
        How sure each is: the mean probability of its pixels, or what SAM expects of its answer.
    """

    instance_labels: NDArray[np.int32]
    scores: NDArray[np.float64]

    def __repr__(self) -> str:
        rows, cols = self.instance_labels.shape
        return f"FoundObjects({len(self.scores)} in {rows} x {cols})"

    def scores_by_id(self) -> dict[int, float]:
        """Return the scores by the objects' numbers, as tables and exports take them."""
        return dict(enumerate(self.scores.tolist(), start=1))


def find_objects(
    prediction: Prediction,
    options: ObjectOptions = DEFAULT_OBJECTS,
    *,
    image: NDArray[Any] | None = None,
    references: Sequence[Reference] = (),
    segmenter: PromptedSegmenter | None = None,
    intensity_range: IntensityRange | None = None,
    pixel_size: PixelSize | None = None,
    reference_pixel_size: PixelSize | None = None,
    cancel: CancelToken | None = None,
) -> FoundObjects:
    """Turn a prediction into objects.

    Parameters
    ----------
    prediction : of one class
    options : ObjectOptions
    image : the target; needed for ``intensity`` and for prompts
    references : what was asked by; their size tells that of a typical object
    segmenter : needed for prompts
    intensity_range : as for the prediction
    pixel_size, reference_pixel_size : of the target and of the references' images
        Needed for options in a unit of length; and where both are known, sizes in the references
        are brought to the target's pixels.
    cancel : looked at after each object that the model is asked for

    Returns
    -------
    objects : FoundObjects

    Raises
    ------
    ConfigError
        If the options need what is not given.
    """
    typical = typical_in(
        references, prediction.label, pixel_size, reference_pixel_size=reference_pixel_size
    )
    chosen = options.resolved(pixel_size, typical)
    if not chosen.prompts:
        labels = instances_of(prediction, chosen, image=image)
        return FoundObjects(labels, mean_inside(labels, prediction.probability))
    if segmenter is None or image is None:
        raise ConfigError(
            "Prompts ask the model again for each object: give the model and the image, or leave "
            "prompts out."
        )
    # Filters come after the answers, which may be larger or surer than what was asked for.
    labels = instances_of(prediction, chosen.without_filters(), image=image)
    answered = prompt_objects(
        segmenter,
        image,
        references,
        labels,
        probability=prediction.probability,
        intensity_range=intensity_range,
        threshold=prediction.threshold,
        cancel=cancel,
    )
    kept = filter_objects(answered.instance_labels, chosen, scores=answered.scores)
    # Which of the answers each of the objects that stayed is.
    first = np.unique(kept, return_index=True)[1][int((kept == 0).any()) :]
    return FoundObjects(kept, answered.scores[answered.instance_labels.ravel()[first] - 1])


def typical_in(
    references: Sequence[Reference],
    label: str,
    pixel_size: PixelSize | None,
    *,
    reference_pixel_size: PixelSize | None = None,
) -> float | None:
    """Return how wide an object of a class is in pixels of a target, None if nothing tells.

    Parameters
    ----------
    references : of any class; those of `label` tell
    pixel_size, reference_pixel_size : of the target and of the references' images
    """
    typical = typical_diameter(r for r in references if r.label == label)
    return None if typical is None else typical * pixel_ratio(reference_pixel_size, pixel_size)


def can_be_prompted(segmenter: object) -> PromptedSegmenter:
    """Return a segmenter that answers points and boxes.

    Raises
    ------
    ConfigError
        If it does not.
    """
    if not callable(getattr(segmenter, "predict_from_prompts", None)):
        raise ConfigError(
            "Prompts ask the model for each object by a point and a box, which this method does "
            "not answer: leave prompts out, or take the method vrp_sam."
        )
    prompted: PromptedSegmenter = segmenter  # type: ignore[assignment]  # as was looked at
    return prompted


def cut_planes(
    masks: Stack, options: ObjectOptions = DEFAULT_OBJECTS, *, images: Stack | None = None
) -> Iterator[NDArray[np.int32]]:
    """Cut the masks of a stack into objects, plane by plane.

    Parameters
    ----------
    masks : not 0 where an object is
    options : ObjectOptions
        Prompts need the model, so they are for :func:`find_objects`. Filters look at each plane
        by itself; for objects that go through planes see
        :func:`vrpsam_app.objects.files.write_objects`, and give options without filters.
    images : of the same planes; needed for ``intensity``

    Yields
    ------
    instance_labels : shape (H, W), int32
        One for each plane, each counting from 1.

    Raises
    ------
    ConfigError
        If the options need what masks do not have.
    """
    if options.prompts:
        raise ConfigError(
            "Prompts need the model: leave them out here, or ask for objects while segmenting."
        )
    chosen = options.in_pixels(masks.pixel_size)
    for index in masks.indices():
        image = images.plane(index) if images is not None and chosen.method == "intensity" else None
        yield instances_of(masks.plane(index), chosen, image=image)


def linked_planes(
    planes: Iterator[NDArray[np.int32]], stack: Stack, options: LinkOptions
) -> Iterator[NDArray[np.int32]]:
    """Give the objects of a stack's planes ids that go through it; a single plane keeps its own."""
    if not stack.axes:
        yield from planes
    else:
        yield from link_planes(planes, options, axes=stack.axes, leading_shape=stack.leading_shape)


def kept_planes(labels: Stack, options: ObjectOptions) -> Iterator[NDArray[np.int32]]:
    """Filter the objects of numbered planes, each plane by itself; numbers stay as they are.

    Objects that go through planes are filtered whole, by
    :func:`vrpsam_app.objects.files.write_objects`: then `options` are without filters.
    """
    chosen = options.in_pixels(labels.pixel_size)
    for index in labels.indices():
        plane = check_labels(labels.plane(index), name=labels.name)
        yield np.where(filter_objects(plane, chosen) > 0, plane, 0).astype(np.int32)
