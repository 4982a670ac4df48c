from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from vrpsam_app.annotations import Box, Point
from vrpsam_app.corrections import Corrections
from vrpsam_app.errors import (
    AnnotationError,
    ConfigError,
    EmptyReferenceError,
    ImageError,
    VRPSAMError,
)
from vrpsam_app.folder_run import FolderRun, replay
from vrpsam_app.images import IntensityRange, intensity_range_of
from vrpsam_app.recipe import Recipe
from vrpsam_app.reference_segmenter import ReferenceSegmenter, as_sequence, only_label, range_of
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction
from vrpsam_app.stack_runs.lazy_result import predict_stack
from vrpsam_app.stack_runs.run import segment_stack
from vrpsam_app.tiles.tiling import predict_classes_tiled, predict_tiled

IMAGE = np.arange(600, dtype=np.uint16).reshape(20, 30)


class Recording(ReferenceSegmenter):
    """Keeps what it is asked and answers with the share of its references that show something."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def describe(self) -> dict[str, object]:
        return {"method": "recording"}

    def _predict_one(
        self,
        target: NDArray[Any],
        references: Sequence[Reference],
        label: str,
        corrections: Corrections | None,
        intensity_range: IntensityRange | None,
        threshold: float,
    ) -> Prediction:
        self.asked.append(
            {
                "references": [(r.label, r.is_not_this) for r in references],
                "label": label,
                "corrections": corrections,
                "range": intensity_range,
            }
        )
        share = np.mean([not r.is_not_this for r in references])
        probability = np.full(target.shape[:2], share, np.float32)
        mask = probability > threshold
        return Prediction(mask, probability, 1.0, 1.0, True, probability, label, {}, threshold)


def reference(label: str, image: NDArray[Any] = IMAGE) -> Reference:
    return Reference.from_annotations(image, [Box(2, 2, 9, 9)], label=label)


def test_one_reference_is_a_sequence_of_one():
    one = reference("a")
    assert as_sequence(one) == [one]
    assert as_sequence((one, one)) == [one, one]
    with pytest.raises(EmptyReferenceError, match="No reference was given"):
        as_sequence(())


@pytest.mark.parametrize("other", [None, "a.png", IMAGE, [IMAGE], {"a": reference("a")}])
def test_what_is_no_reference_is_refused(other: Any):
    with pytest.raises(AnnotationError, match="in the place of a reference"):
        as_sequence(other)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"threshold": float("nan")}, ConfigError, "Threshold is nan"),
        ({"threshold": 2}, ConfigError, "Threshold is 2"),
        ({"threshold": -1}, ConfigError, "Threshold is -1"),
        ({"threshold": None}, ConfigError, "Threshold is None"),
        ({"intensity_range": (0, 255)}, ImageError, r"IntensityRange\(low, high\)"),
        ({"corrections": [Point(5, 5)]}, AnnotationError, "are a list: expected Corrections"),
        (
            {"corrections": Corrections((), np.zeros((10, 10)))},
            AnnotationError,
            "mask_logits has 10 x 10 pixels .* the target has 20 x 30",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    settings: dict[str, Any], error: type[VRPSAMError], message: str
):
    method = Recording()
    for ask in (method.predict, method.predict_classes):
        with pytest.raises(error, match=message):
            ask(IMAGE, reference("a"), **settings)
    assert method.asked == []


def test_the_label_is_the_only_one():
    assert only_label([reference("a"), reference("a")]) == "a"
    with pytest.raises(AnnotationError, match=r"'a', 'b'.*predict_classes"):
        only_label([reference("a"), reference("b")])


def test_the_range_is_that_of_the_whole_set():
    assert range_of(IMAGE // 2, [reference("a")]) == intensity_range_of([IMAGE // 2, IMAGE])
    bytes_only = np.zeros((5, 5), np.uint8)
    assert range_of(bytes_only, [reference("a", np.zeros((20, 30), np.uint8))]) is None


def test_a_given_range_goes_before():
    method = Recording()
    method.predict(IMAGE, reference("a"), intensity_range=IntensityRange(5, 6))
    method.predict(IMAGE, reference("a"))
    own = intensity_range_of([IMAGE, IMAGE])
    assert [a["range"] for a in method.asked] == [IntensityRange(5, 6), own]


def test_each_class_hears_of_the_others_as_not_this():
    method = Recording()
    marks = Corrections((Point(3, 3),))
    against = reference("a").as_not_this()
    method.predict_classes(IMAGE, [reference("a"), reference("b"), against], corrections=marks)
    assert [a["label"] for a in method.asked] == ["a", "b"]
    assert method.asked[0]["references"] == [("a", False), ("a", True), ("a", True)]
    # What says "not this" of one class says nothing of another.
    assert method.asked[1]["references"] == [("b", False), ("b", True)]
    assert [a["corrections"] for a in method.asked] == [marks, None]


def test_the_most_probable_class_wins():
    method = Recording()
    found = method.predict_classes(
        IMAGE, [reference("a"), reference("b"), reference("b")], threshold=0.2
    )
    assert (found.labels == 2).all()
    assert not found.predictions["a"].mask.any()


def pointed_at() -> Reference:
    """Return a reference of a whole picture in which something that is not meant is marked."""
    positive, negative = np.zeros((2, *IMAGE.shape), np.bool_)
    positive[2:9, 2:9], negative[15:17, 20:24] = True, True
    return Reference.from_mask(IMAGE, positive, negative=negative, exhaustive=True, label="a")


def test_what_was_pointed_at_is_said_once_on_every_surface(tmp_path: Path):
    method, shown = Recording(), pointed_at()
    spelled_out = [("a", False), ("a", True)]
    heard: dict[str, list[Any]] = {}

    def hear(surface: str, _: object) -> None:
        heard[surface] = [(a["references"], a["range"]) for a in method.asked]
        method.asked.clear()

    hear("predict", method.predict(IMAGE, shown))
    hear("predict_classes", method.predict_classes(IMAGE, shown))
    hear("predict_tiled", predict_tiled(method, IMAGE, shown))
    hear("predict_classes_tiled", predict_classes_tiled(method, IMAGE, shown))
    hear("predict_stack", predict_stack(method, IMAGE[None], shown).compute())
    hear("segment_stack", segment_stack(method, IMAGE[None], shown, tmp_path / "s.ome.zarr"))
    paths = [tmp_path / "a.tif"]
    tifffile.imwrite(paths[0], IMAGE)
    run = FolderRun.of(shown, paths, tmp_path / "first")
    hear("FolderRun", list(run.carry_out(method)))
    recipe = Recipe.load(run.recipe_path)
    hear("replay", replay(recipe, method, paths, tmp_path / "again"))
    again = Recipe.load(tmp_path / "again" / "recipe.json")
    assert again.question() == recipe.question()
    assert [r.content_key for r in recipe.references] == [shown.content_key]
    assert all(said == [(spelled_out, range_of(IMAGE, [shown]))] for said in heard.values()), heard


def test_what_is_spelled_out_already_is_not_said_again():
    method, shown = Recording(), pointed_at()
    method.predict(IMAGE, shown.spelled_out())
    method.predict(IMAGE, [shown, reference("a")])
    assert [[against for _, against in a["references"]] for a in method.asked] == [
        [False, True],
        [False, True, False],
    ]
