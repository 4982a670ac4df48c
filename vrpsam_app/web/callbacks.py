"""What is asked of the model, as functions of plain values: no gradio here, no server needed."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app import batch
from vrpsam_app.corrected import predict_corrected
from vrpsam_app.errors import AnnotationError, Cancelled, ImageFileError, VRPSAMError
from vrpsam_app.images import IntensityRange, intensity_range_of
from vrpsam_app.objects.finding import typical_in
from vrpsam_app.objects.instances import ObjectOptions
from vrpsam_app.references import Reference, labels_of
from vrpsam_app.segmenter import ClassPredictions
from vrpsam_app.stack_runs.targets import StackReading, common_pixel_size
from vrpsam_app.tiles.plan import TileOptions
from vrpsam_app.tiles.tiling import predict_classes_tiled, predict_tiled
from vrpsam_app.web.inquiry import Inquiry
from vrpsam_app.web.marked import Asked, any_positive, target_corrections
from vrpsam_app.web.model import WebPredictor, get_ready_for
from vrpsam_app.web.pictures import Picture, decoded
from vrpsam_app.web.session import Answers, ClassFinding, Finding, Session

NO_TARGET = "There is no picture to look in. Add one, then press Find."
FLAT = "Next to no contrast in this picture: what is found here says little."
FLAT_MARKED = "Next to no contrast in a marked picture: what is found by it says little."
FAINT = "Nearly black or white among the others: its numbers have another scale. Look in it alone."
_FAINT_SHARE = 0.02  # of the range of all pictures, less than which a picture shows next to nothing
_RANGES_KEPT = 64


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a search has come.

    Parameters
    ----------
    answers
        What has been found so far.
    searching
        The target that is being looked at, or is next; None at the end.
    done, total
        Numbers of targets.
    seconds
        Since the search began.
    before
        Tasks of others, or of this page itself, that the model does first.
    """

    answers: Answers
    searching: Picture | None
    done: int
    total: int
    seconds: float
    before: int = 0


def prepare(inquiry: Inquiry) -> None:
    """Encode the visible target and the marked pictures while the person is still drawing.

    Stops between pictures, without a word, when it is no longer wanted.
    """
    session, asked = inquiry.session, inquiry.asked
    target = shown_target(session, asked.shown)
    wanted = [] if target is None else [target]
    images = {item["image"] for item in asked.references}
    wanted += [picture for picture in session.marked if picture.id in images][:5]
    for picture in dict.fromkeys(wanted):
        try:
            with inquiry.line.join() as place:
                place.wait(inquiry.cancel)
                place.do(partial(_get_ready, inquiry.predictor, session, picture))
        except Cancelled:
            return


def preview(inquiry: Inquiry) -> Iterator[Progress]:
    """Answer for the visible target only: what follows every stroke.

    Marks that do not yet say what to look for are no error here: there is no answer to them.

    Yields
    ------
    progress : Progress
        While others are first, and at the end.

    Raises
    ------
    AnnotationError
        If the marks are malformed, or belong to another picture.
    Cancelled
        If that was asked for.
    """
    start, asked = time.monotonic(), inquiry.asked
    target = shown_target(inquiry.session, asked.shown)
    if target is None or not any_positive(asked):
        yield Progress(Answers(), None, 0, 0, 0.0)
        return
    inquiry.check()
    answers = inquiry.known
    if not answers.has(target.id, asked.corrected(target)):
        with inquiry.line.join() as place:
            for before in place.waiting(inquiry.cancel):
                yield Progress(answers, target, 0, 1, time.monotonic() - start, before)
            finding = place.do(partial(ask, inquiry, target))
        answers = answers.with_finding(target.id, finding)
    yield Progress(answers, None, 1, 1, time.monotonic() - start)


def find(inquiry: Inquiry) -> Iterator[Progress]:
    """Look in every target, the visible one first; what is known already is not asked again.

    What came with a project is: it says nothing of what this model finds. A target that fails is
    answered by the reason; the others go on.

    Yields
    ------
    progress : Progress
        Before each target, while others are first, and at the end.

    Raises
    ------
    EmptyReferenceError
        If nothing is marked as the object.
    ImageFileError
        If there is no target.
    Cancelled
        If that was asked for; what was yielded is answered.
    """
    session, asked = inquiry.session, inquiry.asked
    inquiry.check()
    if not session.targets:
        raise ImageFileError(NO_TARGET)
    answers = inquiry.known
    start, total = time.monotonic(), len(session.targets)
    waiting = [
        target
        for target in session.targets
        if inquiry.opened(target) or not answers.has(target.id, asked.corrected(target))
    ]
    waiting.sort(key=lambda target: target.id != asked.shown)
    for done, target in enumerate(waiting, start=total - len(waiting)):
        yield Progress(answers, target, done, total, time.monotonic() - start)
        with inquiry.line.join() as place:
            for before in place.waiting(inquiry.cancel):
                yield Progress(answers, target, done, total, time.monotonic() - start, before)
            try:
                finding = place.do(partial(ask, inquiry, target))
            except (Cancelled, AnnotationError):
                raise
            except VRPSAMError as error:
                finding = Finding(failure=str(error), corrected=asked.corrected(target))
        answers = answers.with_finding(target.id, finding)
    yield Progress(answers, None, total, total, time.monotonic() - start)


def shown_target(session: Session, shown: object) -> Picture | None:
    """Return the target with the id `shown`, else the first; None if there is none."""
    chosen = [target for target in session.targets if target.id == shown]
    return next(iter((*chosen, *session.targets)), None)


def ask(inquiry: Inquiry, target: Picture) -> Finding:
    """Answer for one target, and keep what the page needs.

    Raises
    ------
    Cancelled
        If that was asked for: looked at after each tile and each class.
    """
    found = predict_target(inquiry, target)
    specks = specks_in(inquiry, target)
    classes = [
        ClassFinding.from_prediction(prediction, target.preview_hw, specks[label])
        for label, prediction in found.predictions.items()
    ]
    note = _doubt(inquiry, target)
    return Finding(tuple(classes), corrected=inquiry.asked.corrected(target), note=note)


def _doubt(inquiry: Inquiry, target: Picture) -> str:
    """Say why an answer is a doubtful one, whatever the model says of it; "" for no reason."""
    if _is_flat(decoded.read(target)):
        return FLAT
    if any(_is_flat(reference.image) for reference in inquiry.references):
        return FLAT_MARKED
    return FAINT if _is_faint(inquiry, target) else ""


def specks_in(inquiry: Inquiry, target: Picture) -> dict[str, float]:
    """Return for each class how many pixels of a target an object has at least."""
    pixel_size = common_pixel_size([target.path], StackReading())
    shown = tile_options(inquiry.session, inquiry.asked).reference_pixel_size
    specks = {}
    for label in labels_of(inquiry.references):
        typical = typical_in(inquiry.references, label, pixel_size, reference_pixel_size=shown)
        specks[label] = ObjectOptions().resolved(diameter=typical).min_area or 0.0
    return specks


def predict_target(
    inquiry: Inquiry,
    target: Picture,
    threshold: float = 0.5,
    intensity_range: IntensityRange | None = None,
) -> ClassPredictions:
    """Find every class in a target, at its full size, exactly as the command line does.

    Parameters
    ----------
    intensity_range : None takes that of all references and targets on the page
    """
    predictor, references = inquiry.predictor, inquiry.references
    image = decoded.read(target)
    settings: dict[str, Any] = {
        "intensity_range": intensity_range or shared_range(inquiry.session, references),
        "threshold": threshold,
        "cancel": inquiry.cancel,
    }
    settings["tiling"] = tile_options(inquiry.session, inquiry.asked)
    settings["pixel_size"] = common_pixel_size([target.path], StackReading())
    if corrections := target_corrections(inquiry.asked, target):
        return predict_corrected(predictor, image, references, corrections, **settings)
    if len(labels_of(references)) > 1:
        return predict_classes_tiled(predictor, image, references, **settings)
    return ClassPredictions.compete(
        {references[0].label: predict_tiled(predictor, image, references, **settings)}
    )


def tile_options(session: Session, asked: Asked) -> TileOptions:
    """Return how large pictures are cut, by the pixel size of the marked ones if it is known."""
    images = {item["image"] for item in asked.references}
    paths = [picture.path for picture in session.marked if picture.id in images]
    size = common_pixel_size(paths, StackReading()) if paths else None
    return TileOptions(reference_pixel_size=size)


_ranges: OrderedDict[tuple[object, ...], IntensityRange | None] = OrderedDict()


def shared_range(session: Session, references: Sequence[Reference]) -> IntensityRange | None:
    """Return the one range of references and targets; None where all have 8 bits."""
    deep = [target for target in session.targets if not target.eight_bit]
    shown = [r for r in references if r.image.dtype.itemsize > 1]
    if not deep and not shown:
        return None
    key = (*(target.id for target in deep), *(r.image_key for r in shown))
    if key not in _ranges:
        found = batch.shared_intensity_range(references, [target.path for target in deep])
        _ranges[key] = found
        while len(_ranges) > _RANGES_KEPT:
            _ranges.popitem(last=False)
    return _ranges[key]


def _is_flat(image: NDArray[Any]) -> bool:
    """Tell whether no channel shows more than next to nothing, as of a covered lens.

    Pictures of more than 8 bits are shown in their own range: they are flat only where all is one.
    """
    least = _FAINT_SHARE * 255 if image.dtype == np.uint8 else 0
    for part in (image[::16, ::16], image):  # most pictures show enough in a part of their pixels
        pixels = part.reshape(part.shape[0] * part.shape[1], -1)
        if (pixels.max(axis=0).astype(float) - pixels.min(axis=0) > least).any():
            return False
    return True


def _is_faint(inquiry: Inquiry, target: Picture) -> bool:
    """Tell whether a picture has hardly any contrast in the range that all pictures share."""
    shared = shared_range(inquiry.session, inquiry.references)
    if target.eight_bit or shared is None:
        return False
    own = intensity_range_of([decoded.read(target)])
    return own is not None and own.high - own.low < _FAINT_SHARE * (shared.high - shared.low)


def _get_ready(predictor: WebPredictor, session: Session, picture: Picture) -> None:
    get_ready_for(predictor, decoded.read(picture), _range_without_marks(session))


def _range_without_marks(session: Session) -> IntensityRange | None:
    """Return the range that one reference on the first marked picture will be shown in."""
    if all(picture.eight_bit for picture in (*session.marked, *session.targets)):
        return None
    image = decoded.read(session.marked[0])
    whole = Reference.from_mask(image, np.ones(image.shape[:2], np.bool_))
    return shared_range(session, [whole])
