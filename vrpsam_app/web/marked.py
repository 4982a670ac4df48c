"""What the page sends about marks, taken for hostile: references, corrections, settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vrpsam_app.annotations import Annotation, Mask, annotations_from_json
from vrpsam_app.corrections import Corrections
from vrpsam_app.errors import AnnotationError, EmptyReferenceError
from vrpsam_app.references import Reference, labels_of
from vrpsam_app.web.pictures import Picture, decoded
from vrpsam_app.web.session import THRESHOLD_STEPS, Session, content_hash

MOST_REFERENCES = 200
MAX_LABEL_LENGTH = 80
DEFAULT_THRESHOLD = 0.5
NOTHING_MARKED = "Nothing is marked as what to look for. Mark one object in the first picture."
_RELOAD = "Reload the page and mark again."

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page asks, with its form checked; marks themselves are checked when they are drawn.

    Parameters
    ----------
    references
        ``{"image", "label", "exhaustive", "marks"}`` of each, as the canvas sends it.
    shown
        Id of the target that is large on the board, if there is one.
    threshold
        Probability above which a pixel belongs to the object, a step of the slider.
    min_area
        Pieces of fewer pixels are left out; 0 leaves all in.
    decisions
        Target id -> accept, fix or reject.
    corrections
        Target id -> class -> marks, of classes that have references.
    about
        The picture that the last event of the board is about.
    """

    references: tuple[Item, ...]
    shown: str | None
    threshold: float
    min_area: int
    decisions: Mapping[str, str]
    corrections: Mapping[str, Mapping[str, Sequence[Item]]]
    about: str | None

    def corrected(self, target: Picture) -> str:
        """Return a hash of the corrections of a target, "" for none."""
        marks = self.corrections.get(target.id)
        return content_hash(marks) if marks else ""

    @property
    def labels(self) -> tuple[str, ...]:
        """Classes that are asked for, in order."""
        return tuple(dict.fromkeys(str(item["label"]) for item in self.references))

    @property
    def marks(self) -> str:
        """A hash of what is marked as what, the same however the page groups and orders it."""
        marks = [
            content_hash([item["image"], item["label"], _as_sent(mark)])
            for item in self.references
            for mark in item["marks"]
        ]
        whole = {(item["image"], item["label"]) for item in self.references if item["exhaustive"]}
        return content_hash([sorted(marks), sorted(whole)])


def read_page(session: Session, canvas: object, board: object) -> Asked:
    """Take apart what the canvas and the board sent.

    Raises
    ------
    AnnotationError
        If it has another form, or marks belong to a picture that is not there.
    """
    if not isinstance(canvas, Mapping) or not isinstance(canvas.get("references"), list):
        raise AnnotationError(f"The marks are not a list. {_RELOAD}")
    state = as_mapping(board)
    references = tuple(_references(session, canvas["references"]))
    labels = {str(item["label"]) for item in references}
    return Asked(
        references=references,
        shown=_text(state.get("shown")),
        threshold=_threshold(state.get("threshold")),
        min_area=_area(state.get("min_area")),
        decisions={
            key: verdict
            for key, verdict in as_mapping(state.get("decisions")).items()
            if isinstance(key, str) and verdict in ("accept", "fix", "reject")
        },
        corrections=_corrections(state.get("corrections"), labels),
        about=_text(state.get("about")),
    )


def any_positive(asked: Asked) -> bool:
    """Tell whether there is a mark that says what to look for."""
    return any(
        not isinstance(mark, Mapping) or mark.get("positive", True)
        for item in asked.references
        for mark in item["marks"]
    )


def marked_references(session: Session, asked: Asked) -> tuple[Reference, ...]:
    """Build the references from what the page sent, in its order.

    Raises
    ------
    EmptyReferenceError
        If nothing is marked as the object.
    AnnotationError
        If marks are malformed, or a class has only "not this" ones.
    ImageFileError
        If a picture is gone.
    """
    if not any_positive(asked):
        raise EmptyReferenceError(NOTHING_MARKED)
    references = tuple(_reference(session, item) for item in asked.references)
    labels_of(references)
    return references


def target_corrections(asked: Asked, target: Picture) -> dict[str, Corrections]:
    """Build the corrections of a target by class.

    Raises
    ------
    AnnotationError
        If marks are malformed.
    """
    found = {}
    for label, marks in asked.corrections.get(target.id, {}).items():
        if annotations := annotations_from_json(marks, target.hw):
            found[label] = Corrections(annotations)
    return found


def _references(session: Session, items: Sequence[object]) -> Iterable[Item]:
    if len(items) > MOST_REFERENCES:
        raise AnnotationError(
            f"{len(items)} references were sent: at most {MOST_REFERENCES} are read. Save them as "
            "a library and use the command line."
        )
    known = {picture.id for picture in session.marked}
    for item in items:
        if not isinstance(item, Mapping) or not isinstance(item.get("marks"), list):
            raise AnnotationError(f"The marks are not a list. {_RELOAD}")
        image, label = _text(item.get("image")), _text(item.get("label"))
        if image not in known:
            raise AnnotationError(
                f"The marks belong to a picture that is no longer here. {_RELOAD}"
            )
        if label is None or not 0 < len(label.strip()) <= MAX_LABEL_LENGTH:
            raise AnnotationError(
                f"The class is called {str(item.get('label'))[:40]!r}: expected 1 to "
                f"{MAX_LABEL_LENGTH} letters."
            )
        if item["marks"]:
            yield {
                "image": image,
                "label": label.strip(),
                "exhaustive": item.get("exhaustive") is True,
                "marks": item["marks"],
            }


def _reference(session: Session, item: Item) -> Reference:
    picture = next(p for p in session.marked if p.id == item["image"])
    if (whole := _kept_whole(session, item)) is not None:
        return whole
    annotations: list[Annotation] = []
    drawn = [mark for mark in item["marks"] if not _is_kept(mark)]
    annotations += annotations_from_json(drawn, picture.hw)
    for mark in item["marks"]:
        if _is_kept(mark):
            kept, positive = _kept(session, mark), mark.get("positive", True) is True
            mask = kept.positive if positive else kept.negative
            if mask.shape != picture.hw:
                raise AnnotationError(f"Kept marks belong to another picture. {_RELOAD}")
            annotations.append(Mask(mask, positive))
    return Reference.from_annotations(
        decoded.read(picture), annotations, exhaustive=item["exhaustive"], label=item["label"]
    )


def _kept_whole(session: Session, item: Item) -> Reference | None:
    """Return a kept reference as it was if there are no other marks: so its kind is known."""
    if not all(_is_kept(mark) for mark in item["marks"]):
        return None
    keys = {str(mark.get("key")) for mark in item["marks"]}
    if len(keys) != 1:
        return None
    kept = _kept(session, item["marks"][0])
    sides = {mark.get("positive", True) is True for mark in item["marks"]}
    marked = {True: kept.positive.any(), False: kept.negative.any()}
    if sides != {side for side, there in marked.items() if there}:
        return None
    return dataclasses.replace(kept, exhaustive=item["exhaustive"], label=item["label"])


def _as_sent(mark: object) -> object:
    """Return of a mark what the page sends of it."""
    if isinstance(mark, Mapping) and _is_kept(mark):
        return [str(mark.get("key")), mark.get("positive", True) is True]
    return mark


def _is_kept(mark: object) -> bool:
    return isinstance(mark, Mapping) and mark.get("type") == "kept"


def _kept(session: Session, mark: Item) -> Reference:
    kept = session.kept.get(str(mark.get("key")))
    if kept is None:
        raise AnnotationError(f"Kept marks are no longer on the server. {_RELOAD}")
    return kept


def _corrections(value: object, labels: Container[str]) -> dict[str, dict[str, list[Item]]]:
    """Return those of classes that are asked for; a class without marks may get some again."""
    found: dict[str, dict[str, list[Item]]] = {}
    for target, classes in as_mapping(value).items():
        by_class = {
            name: marks
            for label, marks in as_mapping(classes).items()
            if (name := str(label).strip()) in labels and isinstance(marks, list) and marks
        }
        if by_class:
            found[str(target)] = by_class
    return found


def as_mapping(value: object) -> Mapping[Any, Any]:
    """Return a value of the page, or of a file, if it has keys; else nothing."""
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _threshold(value: object) -> float:
    """Return the nearest step of the slider; the browser's arithmetic gives 0.30000000000000004."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        return DEFAULT_THRESHOLD
    return min(max(round(value * THRESHOLD_STEPS), 1), THRESHOLD_STEPS - 1) / THRESHOLD_STEPS


def _area(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
        return 0
    return round(value)
