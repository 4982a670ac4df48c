"""What the model is asked about layers, answered in a worker: no layer, no widget, no Qt."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_plugin.layer_planes import Index, LayerPlanes
from napari_plugin.model_choice import ModelChoice, ModelShelf, device_of
from napari_plugin.reference_items import ReferenceItem
from napari_plugin.run_settings import RunSettings
from napari_plugin.threads import in_thread
from vrpsam_app.images import IntensityRange
from vrpsam_app.progress import CancelToken, Progress
from vrpsam_app.references import Reference, labels_of
from vrpsam_app.segmenter import Prediction
from vrpsam_app.stacks.intensity_sample import stack_range


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked, about which planes; complete, so that a worker needs nothing else.

    Attributes
    ----------
    planes : of the image layers
    items : the active references
    settings : as they were when it was asked
    """

    planes: LayerPlanes
    items: tuple[ReferenceItem, ...]
    settings: RunSettings

    @property
    def references(self) -> tuple[Reference, ...]:
        """What the model is shown."""
        return tuple(item.reference for item in self.items)

    def check(self) -> None:
        """Make sure that something is asked.

        Raises
        ------
        AnnotationError
            If a class has only "not this" references.
        """
        labels_of(self.references)

    @property
    def range_key(self) -> tuple[object, ...]:
        """What the intensity range depends on."""
        return self.planes.key, tuple(r.content_key for r in self._from_elsewhere())

    def intensity_range(self) -> IntensityRange | None:
        """Return the range of the stack and of references from elsewhere; reads a few planes.

        Slices of the stack itself are in its range already: with another slice as the reference it
        stays as it is, and nothing has to be encoded again.
        """
        return stack_range(self.planes.stack, self._from_elsewhere())

    def _from_elsewhere(self) -> list[Reference]:
        return [i.reference for i in self.items if i.image != self.planes.key]


@dataclass(frozen=True, slots=True)
class Doing:
    """What a worker is busy with, in a few words."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, eq=False)
class Ready:
    """The model is there and the range is known: the first plane is asked about next.

    Attributes
    ----------
    intensity_range : in which planes are shown
    made_by : what the segmenter says of itself
    device : where it runs
    """

    intensity_range: IntensityRange | None
    made_by: Mapping[str, Any]
    device: str


@dataclass(frozen=True, eq=False)
class PlaneAnswer:
    """What was found in one plane.

    Attributes
    ----------
    index : of the plane
    predictions : by class, at the threshold that was asked with
    """

    index: Index
    predictions: Mapping[str, Prediction]


class Ranges:
    """Intensity ranges that were looked for already."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], IntensityRange | None] = {}

    def of(self, question: Question) -> IntensityRange | None:
        """Return the range of a question, reading planes the first time."""
        key = question.range_key
        if key not in self._known:
            self._known[key] = question.intensity_range()
        return self._known[key]


def load(shelf: ModelShelf, choice: ModelChoice, cancel: CancelToken) -> Generator[Any, None, Any]:
    """Return the segmenter of a choice; yields how far a download is, and stops it if asked to."""
    segmenter = shelf.loaded(choice)
    if segmenter is not None:
        return segmenter
    yield Doing("loading the model")

    def work(tell: Callable[[Any], None]) -> Any:
        def told(progress: Any) -> None:
            cancel.raise_if_cancelled()  # in the thread of the download, which ends by it
            tell(progress)

        return shelf.segmenter(choice, told)

    return (yield from in_thread(work, cancel))


def loaded(
    shelf: ModelShelf, question: Question, ranges: Ranges, cancel: CancelToken
) -> Generator[Any, None, tuple[Any, Ready]]:
    """Load the model and find the range; yields what is being done."""
    segmenter = yield from load(shelf, question.settings.choice, cancel)
    cancel.raise_if_cancelled()
    made_by = dict(getattr(segmenter, "describe", dict)())
    return segmenter, Ready(ranges.of(question), made_by, device_of(segmenter))


def answer_plane(
    shelf: ModelShelf, question: Question, ranges: Ranges, index: Index, cancel: CancelToken
) -> Generator[Any, None, PlaneAnswer]:
    """Ask about one plane; yields what is being done, and :class:`Ready`."""
    from vrpsam_app.tiles.tiling import predict_classes_tiled, predict_tiled

    question.check()
    segmenter, ready = yield from loaded(shelf, question, ranges, cancel)
    yield ready
    stack, settings = question.planes.stack, question.settings
    plane = stack.plane(index)
    cancel.raise_if_cancelled()
    arguments: dict[str, Any] = {
        "tiling": settings.tiling,
        "pixel_size": stack.pixel_size,
        "intensity_range": ready.intensity_range,
        "threshold": settings.threshold,
        "cancel": cancel,
    }
    references = question.references
    if len(labels_of(references)) == 1:
        found = predict_tiled(segmenter, plane, references, **arguments)
        predictions: Mapping[str, Prediction] = {found.label: found}
    else:
        predictions = predict_classes_tiled(segmenter, plane, references, **arguments).predictions
    return PlaneAnswer(index, predictions)


def prepare_plane(
    shelf: ModelShelf, question: Question, ranges: Ranges, index: Index, cancel: CancelToken
) -> Generator[Any, None, None]:
    """Load the model and encode a plane, so that the answer to the first marks comes quickly."""
    segmenter, ready = yield from loaded(shelf, question, ranges, cancel)
    yield ready
    prepare = getattr(segmenter, "prepare", None)
    side = getattr(segmenter, "input_side", 0)
    if prepare is not None and max(question.planes.stack.plane_hw) <= 2 * side:
        prepare(question.planes.stack.plane(index), intensity_range=ready.intensity_range)


def answer_planes(
    shelf: ModelShelf,
    question: Question,
    ranges: Ranges,
    indices: Sequence[Index],
    cancel: CancelToken,
    out: Path | None = None,
) -> Generator[Any, None, None]:
    """Ask about many planes.

    Parameters
    ----------
    out : where the model's answers are stored as they come, so that they outlive a crash; planes
        that are stored there already are not asked about. None keeps nothing.

    Yields
    ------
    :class:`Doing`, :class:`Ready`, :class:`Progress`, and a :class:`Block` for each plane
    """
    question.check()
    segmenter, ready = yield from loaded(shelf, question, ranges, cancel)
    yield ready
    settings = question.settings
    common: dict[str, Any] = {
        "tiling": settings.tiling,
        "intensity_range": ready.intensity_range,
        "threshold": settings.threshold,
        "cancel": cancel,
    }
    stack, references = question.planes.stack, question.references
    if out is None:
        from vrpsam_app.stack_runs.planes import segment_planes

        objects = settings.objects
        if objects is not None and settings.filters_whole(stack.axes):
            objects = objects.without_filters()
        told: list[Progress] = []
        for block in segment_planes(
            segmenter, stack, references, planes=frozenset(indices), objects=objects,
            progress=told.append, **common,
        ):  # fmt: skip
            yield block
            if told:
                yield told[-1]
                told.clear()
        return
    from vrpsam_app.stack_runs.run import segment_stack

    def run(tell: Callable[[Any], None]) -> None:
        segment_stack(
            segmenter, stack, references, out, resume=out.exists(), on_block=tell, progress=tell,
            **common,
        )  # fmt: skip

    yield from in_thread(run, cancel)
