from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.video_evaluation import (
    WAYS,
    FilmResult,
    evaluate_films,
    film_table,
    follow_film,
    gain_table,
)
from vrpsam_app.evaluation.video_films import FilmFrame, KnownFilm, davis_films, drawn_films
from vrpsam_app.evaluation.video_scores import MeasureOverTime, ObjectScores

FOLLOWED = "followed"


def moving(count: int = 6, twin: bool = False, **settings: Any) -> KnownFilm:
    """A red square, number 7, on its way; a twin is in the picture and not in the truth."""

    def frames() -> Iterator[FilmFrame]:
        for i in range(count):
            image, labels = np.full((40, 60, 3), 90, np.uint8), np.zeros((40, 60), np.int32)
            labels[5:15, 5 + 4 * i : 15 + 4 * i] = 7
            image[labels > 0] = (220, 30, 30)
            if twin:
                image[26:36, 5:15] = (220, 30, 30)
            yield FilmFrame(image, labels)

    return KnownFilm("walk", "plain", {7: "seven"}, frames, **settings)


def test_a_perfect_answer_scores_one(colour_segmenter: Any):
    for way in WAYS:
        result = follow_film(colour_segmenter, moving(), way)
        assert result.both == 1.0
        assert (result.method, result.way, result.film) == ("colour", way, "walk")
        assert result.objects[0].label == "seven"


def test_following_tells_twins_apart(colour_segmenter: Any):
    alone = follow_film(colour_segmenter, moving(twin=True), "each frame alone")
    followed = follow_film(colour_segmenter, moving(twin=True), FOLLOWED)
    assert alone.objects[0].region.mean == pytest.approx(0.5)
    assert followed.both == 1.0


@pytest.mark.parametrize(("last_counts", "expected"), [(True, 4 / 5), (False, 1.0)])
def test_the_first_frame_never_counts_and_the_last_where_it_should(
    colour_segmenter: Any, last_counts: bool, expected: float
):
    film = moving(last_counts=last_counts)

    def wrong_at_the_ends() -> Iterator[FilmFrame]:
        frames = list(film.frames())
        for i, frame in enumerate(frames):
            nothing = np.full_like(frame.image, 90)
            yield FilmFrame(nothing if i == 5 else frame.image, frame.labels)

    shown = KnownFilm("walk", "plain", {7: "seven"}, wrong_at_the_ends, last_counts)
    result = follow_film(colour_segmenter, shown, FOLLOWED)
    assert result.objects[0].region.mean == pytest.approx(expected)


def test_what_is_known_is_not_asked_again(tmp_path: Path, colour_segmenter: Any):
    films = [moving(), moving(twin=True)]
    films[1] = KnownFilm("twin", "plain", films[1].objects, films[1].frames)
    run = [lambda: colour_segmenter]
    first = list(evaluate_films(run, films, tmp_path, ways=[FOLLOWED]))
    asked = len(colour_segmenter.calls)
    # A run that was killed has fewer lines.
    file = tmp_path / "films.jsonl"
    file.write_bytes(file.read_bytes().splitlines(keepends=True)[0] + b'{"cut')
    again = list(evaluate_films(run, films, tmp_path, ways=[FOLLOWED]))
    assert [r.objects for r in again] == [r.objects for r in first]
    assert len(colour_segmenter.calls) == asked * 3 // 2
    assert len(file.read_bytes().splitlines()) == 2


def test_senseless_ways_and_lines_are_refused(tmp_path: Path, colour_segmenter: Any):
    with pytest.raises(ConfigError, match="expected one of each frame alone"):
        list(evaluate_films([lambda: colour_segmenter], [moving()], tmp_path, ways=["other"]))
    with pytest.raises(ConfigError, match="no result of a film"):
        FilmResult.from_json({"film": "x"})


def test_tables_name_the_best(colour_segmenter: Any):
    film = moving(twin=True)
    table = film_table([follow_film(colour_segmenter, film, way) for way in WAYS])
    assert [row[2].text for row in table.rows] == list(WAYS)
    assert [row[3].tone for row in table.rows] == ["", "best", "best"]
    assert "| plain | colour | followed | **1.000** 1.00" in table.to_markdown()


def scored(group: str, way: str, *both: float) -> FilmResult:
    objects = tuple(
        ObjectScores(group, f"object {i}", *[MeasureOverTime(value, 1.0, 0.0)] * 2)
        for i, value in enumerate(both)
    )
    return FilmResult("", "colour", way, group, group, objects, 0.1)


def test_gains_are_paired_by_object_and_bold_where_they_are_sure():
    alone, followed, memory = WAYS
    results = [
        scored("plain", alone, 0.5, 0.9, 0.1),
        scored("plain", memory, 0.6, 1.0, 0.2),
        scored("return", alone, 0.5, 0.5),
        scored("return", memory, 0.8, 0.3),
    ]
    table = gain_table(results)
    assert table.head == ["films", "method", f"{memory} \N{MINUS SIGN} {alone}"]
    rows = {row[0].text: row[2] for row in table.rows}
    assert [e.text for e in rows.values()] == ["+0.100", "+0.050", "+0.075"]
    assert [e.tone for e in rows.values()] == ["best", "", ""]
    assert rows["return"].small == "\N{MINUS SIGN}0.20 to +0.30"
    together = gain_table([*results, scored("plain", followed, 0.5, 0.9, 0.1)])
    assert len(together.head) == 5
    assert together.rows[0][2].text == "+0.000"


def test_drawn_films_can_be_gone_through_again():
    (film,) = drawn_films(["several"], [3], frames=8, side=48)
    assert film.objects == {1: "object 1", 2: "object 2", 3: "object 3"}
    one, other = (list(film.frames()) for _ in range(2))
    assert len(one) == 8
    assert np.array_equal(one[5].image, other[5].image)
    assert [r.label for r in film.references()] == list(film.objects.values())


def test_davis_as_it_lies_on_disk(tmp_path: Path, colour_segmenter: Any):
    for name in ("JPEGImages", "Annotations"):
        (tmp_path / name / "480p" / "walk").mkdir(parents=True)
    lists = tmp_path / "ImageSets" / "2017"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("walk\n")
    for i, frame in enumerate(moving().frames()):
        labels = (frame.labels > 0).astype(np.uint8)
        if i == 2:
            labels[30:36, 30:36] = 255  # nobody knows
        annotated = Image.fromarray(labels, mode="L")
        annotated.putpalette([0, 0, 0, 255, 0, 0] + [128] * 750 + [9, 9, 9])
        annotated.save(tmp_path / "Annotations" / "480p" / "walk" / f"{i:05d}.png")
        Image.fromarray(frame.image).save(
            tmp_path / "JPEGImages" / "480p" / "walk" / f"{i:05d}.jpg", quality=95
        )
    (film,) = davis_films(tmp_path)
    assert (film.name, film.objects, film.last_counts) == ("walk", {1: "object 1"}, False)
    assert list(film.frames())[2].ignored.sum() == 36
    assert follow_film(colour_segmenter, film, FOLLOWED).both > 0.9
