"""Many files with the same references: order, failures, one range for all."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vrpsam_app import batch
from vrpsam_app.annotations import Box
from vrpsam_app.batch import segment_files, shared_intensity_range
from vrpsam_app.errors import AnnotationError, Cancelled, ImageFileError, OutputError
from vrpsam_app.images import IntensityRange
from vrpsam_app.output_paths import plan_outputs
from vrpsam_app.progress import CancelToken, Progress
from vrpsam_app.references import Reference, labels_of


def reference(label: str = "object", value: int = 200) -> Reference:
    image = np.zeros((12, 12), np.uint8)
    image[2:6, 2:6] = value
    return Reference.from_annotations(image, [Box(2, 2, 6, 6)], label=label)


@pytest.fixture
def targets(tmp_path: Path) -> list[Path]:
    """Three targets, the second one broken."""
    paths = [tmp_path / name for name in ("a.png", "b.png", "c.png")]
    for path, size in ((paths[0], 4), (paths[2], 7)):
        image = np.zeros((16, 20), np.uint8)
        image[1 : 1 + size, 2 : 2 + size] = 200
        Image.fromarray(image).save(path)
    paths[1].write_bytes(b"broken")
    return paths


def test_labels_in_order_of_their_first_example():
    references = [reference("b"), reference("a").as_not_this(), reference("a"), reference("b")]
    assert labels_of(references) == ("b", "a")


def test_a_class_needs_an_example_of_itself():
    with pytest.raises(AnnotationError, match="'a' has only 'not this'"):
        labels_of([reference("b"), reference("a").as_not_this()])


def test_results_come_in_order_and_failures_do_not_stop_the_rest(
    targets: list[Path], tmp_path: Path, colour_segmenter
):
    plan = plan_outputs(targets, tmp_path, ["object"])
    first, broken, last = segment_files(colour_segmenter, [reference()], plan)
    assert [r.outputs for r in (first, broken, last)] == plan
    assert isinstance(broken.error, ImageFileError)
    assert (broken.predictions, broken.record) == ((), None)
    assert first.record is not None
    assert (first.record.name, first.record.shape) == ("a.png", (16, 20))
    for result, pixels in ((first, 16), (last, 49)):
        assert result.error is None
        written = np.asarray(Image.open(next(iter(result.outputs))))
        np.testing.assert_array_equal(written == 255, result.predictions[0].mask)
        assert result.predictions[0].mask.sum() == pixels


def test_work_is_done_when_it_is_asked_for(targets: list[Path], tmp_path: Path, colour_segmenter):
    results = segment_files(
        colour_segmenter, [reference()], plan_outputs(targets, tmp_path, ["object"])
    )
    assert colour_segmenter.calls == []
    next(results)
    assert 1 <= len(colour_segmenter.calls) <= 2  # one further target is asked about meanwhile


def test_a_result_is_written_while_the_next_target_is_asked_about(
    tmp_path: Path, colour_segmenter, monkeypatch: pytest.MonkeyPatch
):
    """Writing waits until the model was asked again, which it would wait for in vain in turn."""
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for path in paths:
        Image.fromarray(np.full((8, 8), 200, np.uint8)).save(path)
    asked, questions = threading.Semaphore(0), []
    predict, write = colour_segmenter.predict, batch.write_mask
    late: list[bool] = []

    def counted(*arguments, **settings):
        questions.append(None)
        if len(questions) > 1:  # the first one is answered before anything can be written
            asked.release()
        return predict(*arguments, **settings)

    def written(*arguments, **settings):
        # Of the last target alone nothing comes after it.
        late.append(asked.acquire(timeout=10) if len(late) < 2 else True)
        return write(*arguments, **settings)

    monkeypatch.setattr(colour_segmenter, "predict", counted)
    monkeypatch.setattr(batch, "write_mask", written)
    plan = plan_outputs(paths, tmp_path / "out", ["object"])
    (tmp_path / "out").mkdir()
    asked_first = segment_files(colour_segmenter, [reference()], plan)
    assert [r.error for r in asked_first] == [None] * 3
    assert late == [True] * 3


def test_result_that_appeared_meanwhile_is_kept(
    targets: list[Path], tmp_path: Path, colour_segmenter
):
    (tmp_path / "a_mask.png").write_text("mine", encoding="utf-8")
    plan = plan_outputs(targets[:1], tmp_path, ["object"])
    (result,) = segment_files(colour_segmenter, [reference()], plan)
    assert isinstance(result.error, OutputError)
    assert (tmp_path / "a_mask.png").read_text(encoding="utf-8") == "mine"
    (result,) = segment_files(colour_segmenter, [reference()], plan, overwrite=True)
    assert result.error is None


def test_many_classes_are_numbered_beyond_8_bits(
    targets: list[Path], tmp_path: Path, colour_segmenter
):
    references = [reference(f"class{i}", value=0) for i in range(299)] + [reference("last")]
    plan = plan_outputs(targets[:1], tmp_path, labels_of(references))
    (result,) = segment_files(colour_segmenter, references, plan)
    assert result.error is None
    assert np.asarray(Image.open(tmp_path / "a_labels.png")).max() == 300


def test_bugs_are_not_taken_for_failed_targets(targets: list[Path], tmp_path: Path):
    plan = plan_outputs(targets[:1], tmp_path, ["object"])
    with pytest.raises(AttributeError):
        next(segment_files(object(), [reference()], plan))  # type: ignore[arg-type]


def test_one_range_over_references_and_targets(targets: list[Path], tmp_path: Path):
    assert shared_intensity_range([reference()], targets) is None
    deep = tmp_path / "deep.png"
    Image.fromarray(np.linspace(100, 5000, 400).reshape(20, 20).astype(np.uint16)).save(deep)
    assert shared_intensity_range([reference()], [*targets, deep]) == IntensityRange(100, 5000)
    low = Reference.from_annotations(np.full((9, 9), -7.0), [Box(1, 1, 3, 3)])
    both = shared_intensity_range([low], [deep])
    assert both is not None
    assert both.low == -7


def test_progress_and_cancel(targets: list[Path], tmp_path: Path, colour_segmenter):
    plan = plan_outputs(targets, tmp_path, ["object"])
    told: list[Progress] = []
    list(segment_files(colour_segmenter, [reference()], plan, progress=told.append))
    assert [(p.done, p.message) for p in told] == [
        (0, ""), (1, "a.png"), (2, "b.png"), (3, "c.png"),
    ]  # fmt: skip
    token = CancelToken()
    results = segment_files(colour_segmenter, [reference()], plan, cancel=token, overwrite=True)
    next(results)
    token.cancel()
    with pytest.raises(Cancelled):
        next(results)


def test_large_targets_are_shown_in_tiles(tmp_path: Path, colour_segmenter):
    image = np.zeros((700, 1500), np.uint8)
    image[300:308, 40:48] = image[100:108, 1400:1408] = 200
    Image.fromarray(image).save(tmp_path / "large.png")
    marked = Reference.from_annotations(image, [Box(300, 40, 308, 48)])
    for tiling, calls in (("whole", 1), ("auto", 2)):
        colour_segmenter.calls.clear()
        plan = plan_outputs([tmp_path / "large.png"], tmp_path, ["object"])
        (result,) = segment_files(colour_segmenter, [marked], plan, tiling=tiling, overwrite=True)
        assert result.error is None
        assert result.predictions[0].mask.sum() == 128
        assert len(colour_segmenter.calls) >= calls
    assert result.predictions[0].found_in is not None
