from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vrpsam_app.annotations import Box, Point
from vrpsam_app.errors import ConfigError
from vrpsam_app.images import IntensityRange
from vrpsam_app.references import Reference
from vrpsam_app.stacks.stack import PixelSize
from vrpsam_app.tiles.plan import TileOptions
from vrpsam_app.video.film_segmenter import FilmSegmenter, FrameAnswer
from vrpsam_app.video.options import MemoryOptions

COUNT = 12
MICRON = PixelSize(1, 1)
RIGHTWARD = [(20, 6 + 4 * i) for i in range(COUNT)]


def follow(finder: Any, film: Any, references: list[Reference], how: str = "") -> list[FrameAnswer]:
    segmenter = FilmSegmenter(finder, references, (60, 80), MemoryOptions.from_text(how))
    return [segmenter.step(film.frame(i)) for i in range(film.count)]


def agreement(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / max((one | other).sum(), 1))


def test_one_object_of_two_that_are_equal(finder: Any, squares: Any, red: Any):
    film = squares((red, RIGHTWARD), (red, [(40, 50 - 3 * i) for i in range(COUNT)]))
    for answer in follow(finder, film, [film.reference(0)]):
        assert agreement(answer.mask("object"), film.truth(0, answer.number)) > 0.95


def test_every_object_of_a_kind(finder: Any, squares: Any, red: Any):
    film = squares((red, RIGHTWARD), (red, [(40, 50 - 3 * i) for i in range(COUNT)]))
    for answer in follow(finder, film, [film.reference(0)], "kind"):
        both = film.truth(0, answer.number) | film.truth(1, answer.number)
        assert agreement(answer.mask("object"), both) > 0.95


def test_equal_objects_that_pass_each_other_are_cut_apart(finder: Any, squares: Any, red: Any):
    film = squares((red, RIGHTWARD), (red, [(28, 54 - 4 * i) for i in range(COUNT)]))
    answers = follow(finder, film, [film.reference(0)])
    for answer in answers:
        assert agreement(answer.mask("object"), film.truth(0, answer.number)) > 0.5
    assert agreement(answers[-1].mask("object"), film.truth(0, COUNT - 1)) > 0.95


def test_hidden_and_seen_again(finder: Any, squares: Any, red: Any):
    places: list[Any] = [*RIGHTWARD]
    places[4:8] = [None] * 4
    film = squares((red, places), (red, [(44, 60)] * COUNT))
    for answer in follow(finder, film, [film.reference(0)]):
        truth = film.truth(0, answer.number)
        assert answer.verdicts["object"].present == bool(truth.any())
        assert np.array_equal(answer.mask("object"), truth)


@pytest.mark.parametrize("how", ["object", "kind"])
def test_a_frame_without_a_value_shows_nothing(finder: Any, squares: Any, red: Any, how: str):
    film = squares((red, RIGHTWARD))
    frames = film.frames().astype(np.float32)
    frames[5] = np.nan
    segmenter = FilmSegmenter(
        finder, [film.reference(0)], (60, 80), MemoryOptions.from_text(how),
        intensity_range=IntensityRange(0, 255),
    )  # fmt: skip
    for number, answer in enumerate(map(segmenter.step, frames)):
        found = np.zeros((60, 80), bool) if number == 5 else film.truth(0, number)
        assert np.array_equal(answer.mask("object"), found)


def test_gone_and_back_at_another_side(finder: Any, squares: Any, red: Any, green: Any):
    out = [(20, 50 + 8 * i) for i in range(4)]
    places = [*out, *[None] * 14, *[(40, -6 + 6 * i) for i in range(4)]]
    film = squares((red, places), (green, [(5, 5)] * len(places)))
    answers = follow(finder, film, [film.reference(0)])
    for answer in answers:
        assert np.array_equal(answer.mask("object"), film.truth(0, answer.number))


def test_a_look_alike_is_not_taken_for_one_that_left(finder: Any, squares: Any, red: Any):
    places = [*[(20, 50 + 8 * i) for i in range(4)], *[None] * 10]
    film = squares((red, places), (red, [(40, 5 + i) for i in range(14)]))
    for answer in follow(finder, film, [film.reference(0)]):
        assert np.array_equal(answer.mask("object"), film.truth(0, answer.number))


def test_several_labels_equal_and_different(finder: Any, squares: Any, red: Any, green: Any):
    film = squares(
        (red, RIGHTWARD),
        (red, [(40, 60 - 4 * i) for i in range(COUNT)]),
        (green, [(3, 3 + i) for i in range(COUNT)]),
    )
    references = [film.reference(i, label=name) for i, name in enumerate("abc")]
    segmenter = FilmSegmenter(finder, references, (60, 80), MemoryOptions())
    for number in range(COUNT):
        answer = segmenter.step(film.frame(number))
        for square, name in enumerate("abc"):
            assert np.array_equal(answer.mask(name), film.truth(square, number))
    assert segmenter.groups == (("a", "b"), ("c",))


def test_marks_of_a_person_say_where_it_is(finder: Any, squares: Any, red: Any):
    film = squares((red, RIGHTWARD), (red, [(40, 50)] * COUNT))
    for mark in (Point(26, 12), Box(20, 6, 32, 18)):
        reference = Reference.from_annotations(film.frame(0), [mark])
        for answer in follow(finder, film, [reference]):
            assert agreement(answer.mask("object"), film.truth(0, answer.number)) > 0.95


def test_a_mark_on_a_later_frame_corrects(finder: Any, squares: Any, red: Any):
    film = squares((red, RIGHTWARD), (red, [(40, 50)] * COUNT))
    references = [film.reference(0), film.reference(1, 6)]
    answers = follow(finder, film, references)
    assert np.array_equal(answers[5].mask("object"), film.truth(0, 5))
    for answer in answers[6:]:
        assert np.array_equal(answer.mask("object"), film.truth(1, answer.number))


def test_a_reference_from_elsewhere_takes_the_largest(finder: Any, squares: Any, red: Any):
    film = squares((red, RIGHTWARD))
    elsewhere = np.zeros((30, 30, 3), np.uint8)
    elsewhere[5:20, 5:20] = red
    reference = Reference.from_mask(elsewhere, elsewhere.any(-1))
    for answer in follow(finder, film, [reference]):
        assert np.array_equal(answer.mask("object"), film.truth(0, answer.number))


def test_sure_frames_become_references(finder: Any, squares: Any, red: Any):
    film = squares((red, RIGHTWARD))
    segmenter = FilmSegmenter(finder, [film.reference(0)], (60, 80), MemoryOptions(size=2, every=3))
    kept = [segmenter.step(film.frame(i)).remembered for i in range(COUNT)]
    assert [bool(names) for names in kept] == [i in (3, 6, 9) for i in range(COUNT)]
    memory = segmenter.memories["object"]
    assert [step for step, _ in memory.later] == [6, 9]
    assert len(memory.references) == 3  # the first one and no more than two later ones


def test_what_does_not_lead_back_is_not_remembered(squares: Any, red: Any, finder: Any):
    film = squares((red, RIGHTWARD))
    segmenter = FilmSegmenter(finder, [film.reference(0)], (60, 80), MemoryOptions(every=2))
    faded = [film.frame(i) for i in range(COUNT)]
    for i, frame in enumerate(faded):  # still found, but what looks so does not lead back
        frame[film.truth(0, i)] = (220 if i < 6 else 190, 40, 40)
    asked = segmenter._ask

    def ask(picture: Any, references: Any) -> Any:
        answer = asked(picture, references)
        strange = len(references) == 1 and references[0].image[references[0].positive][0, 0] == 190
        return replace(answer, probability=answer.probability * 0) if strange else answer

    segmenter._ask = ask  # type: ignore[method-assign]
    answers = [segmenter.step(frame) for frame in faded]
    assert [bool(a.remembered) for a in answers] == [i in (2, 4) for i in range(COUNT)]
    assert np.array_equal(answers[-1].mask("object"), film.truth(0, COUNT - 1))


def test_what_changes_slowly_is_followed_by_what_is_remembered(finder: Any, squares: Any, red: Any):
    film = squares((red, RIGHTWARD))
    changing = [film.frame(i) for i in range(COUNT)]
    for i, frame in enumerate(changing):
        frame[film.truth(0, i)] = (220 - 12 * i, 40, 40 + 12 * i)
    for how, still_found in (("object,every=2", True), ("object,size=0", False)):
        segmenter = FilmSegmenter(
            finder, [film.reference(0)], (60, 80), MemoryOptions.from_text(how)
        )
        answers = [segmenter.step(frame) for frame in changing]
        assert answers[-1].verdicts["object"].present == still_found


def test_without_size_nothing_is_remembered(finder: Any, squares: Any, red: Any):
    film = squares((red, RIGHTWARD))
    answers = follow(finder, film, [film.reference(0)], "object,size=0")
    assert not any(a.remembered for a in answers)
    assert {call["references"] for call in finder.calls} == {1}


def test_the_segmenter_is_asked_no_more_as_the_film_goes_on(finder: Any, squares: Any, red: Any):
    film = squares((red, [(20, 6 + i % 40) for i in range(60)]))
    follow(finder, film, [film.reference(0)], "object,size=2,every=4")
    assert max(call["references"] for call in finder.calls) == 3


def test_large_frames_are_compared_on_a_coarse_grid(finder: Any):
    film = np.full((6, 300, 500, 3), 120, np.uint8)
    for i in range(6):
        film[i, 100:130, 40 + 30 * i : 41 + 30 * i] = (220, 40, 40)  # one pixel wide
    reference = Reference.from_mask(film[0], film[0, ..., 0] == 220)
    segmenter = FilmSegmenter(finder, [reference], (300, 500), MemoryOptions(size=0))
    for frame in film:
        assert np.array_equal(segmenter.step(frame).mask("object"), frame[..., 0] == 220)


@pytest.mark.parametrize(
    ("tiling", "given", "kept"),
    [
        # A frame of 20 x 15 micrometres stands beside as much of a reference.
        (TileOptions("whole", reference_pixel_size=MICRON), (20, 20), (60, 80)),
        # All are of 10 x 10 micrometres, in pixels of the film.
        (TileOptions("tiles", tile=40, reference_pixel_size=MICRON), (40, 40), (40, 40)),
    ],
)
def test_known_pixel_sizes_bring_references_to_the_film_s_scale(
    finder: Any, squares: Any, red: Any, tiling: TileOptions,
    given: tuple[int, int], kept: tuple[int, int],
):  # fmt: skip
    film = squares((red, RIGHTWARD))
    image = np.full((60, 80, 3), 120, np.uint8)
    image[30:33, 40:43] = red
    reference = Reference.from_mask(image, image[..., 0] == 220)
    asked: set[Any] = set()
    predict = finder.predict

    def record(target: Any, references: Any, **settings: Any) -> Any:
        asked.add((target.shape[:2], *(r.image.shape[:2] for r in references)))
        return predict(target, references, **settings)

    finder.predict = record
    segmenter = FilmSegmenter(
        finder, [reference], (60, 80), MemoryOptions(size=2, every=2),
        tiling=tiling, pixel_size=PixelSize(0.25, 0.25),
    )  # fmt: skip
    for number in range(5):
        answer = segmenter.step(film.frame(number))
        assert np.array_equal(answer.mask("object"), film.truth(0, number))
    # Alone, with frames that are kept, and the reference itself by what is kept.
    assert {(kept, given), (kept, given, kept), (given, kept)} <= asked
    assert {shape for shapes in asked for shape in shapes} == {given, kept}


def test_unknown_labels_are_refused(finder: Any, squares: Any, red: Any):
    film = squares((red, RIGHTWARD))
    answer = follow(finder, film, [film.reference(0)])[0]
    with pytest.raises(ConfigError, match="expected one of object"):
        answer.mask("other")
