from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from vrpsam_app.errors import Cancelled, ConfigError, OutputError
from vrpsam_app.folder_run import replay
from vrpsam_app.movie_files import MovieFile, MovieWriter
from vrpsam_app.progress import CancelToken, Progress
from vrpsam_app.recipe import Recipe
from vrpsam_app.stacks.stack import Stack
from vrpsam_app.stacks.stack_files import open_stack
from vrpsam_app.video import run as video_run
from vrpsam_app.video.film_state import restore_state
from vrpsam_app.video.options import MemoryOptions
from vrpsam_app.video.pictures import write_mask_frames, write_overlay_movie
from vrpsam_app.video.predict import predict_video
from vrpsam_app.video.route import Leg, Route
from vrpsam_app.video.run import segment_video

COUNT = 14
HOW = "object,size=2,every=3"


@pytest.fixture
def film(squares: Any, red: Any) -> Any:
    """One red square among two goes right and is hidden for a while."""
    places: list[Any] = [(20, 4 + 4 * i) for i in range(COUNT)]
    places[7:9] = [None, None]
    return squares((red, places), (red, [(40, 60 - 3 * i) for i in range(COUNT)]))


def planes(path: Path) -> NDArray[Any]:
    stack = open_stack(path)
    return np.stack([stack.plane(i) for i in stack.indices()])


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but recipes, which name the time and machine of their run."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith("_recipe.json")
    }


@pytest.mark.parametrize("name", ["found.ome.zarr", "found.zarr", "found.tif"])
def test_a_film_becomes_labels_a_table_and_a_recipe(
    tmp_path: Path, finder: Any, film: Any, name: str
):
    stack = Stack.from_array(film.frames(), axes=("t",))
    result = segment_video(finder, stack, film.reference(0), tmp_path / name, memory=HOW)
    assert result.asked == COUNT
    found = planes(tmp_path / name)
    assert found.dtype == np.uint8
    for number in range(COUNT):
        assert np.array_equal(found[number] > 0, film.truth(0, number))
        assert result.planes[number].verdicts["object"].present == bool(found[number].any())
    assert len((tmp_path / "found_planes.csv").read_text().splitlines()) == COUNT + 1
    recipe = Recipe.load(tmp_path / "found_recipe.json")
    assert recipe.sections["memory"] == {
        "follow": "object", "size": 2, "every": 3, "agreement": 0.75, "axis": None, "start": None,
    }  # fmt: skip
    assert recipe.sections["stack"]["axis"] == "t"
    assert recipe.sections["stack"]["start"] == 0
    assert not list(tmp_path.rglob(video_run.STATE))


@pytest.mark.parametrize("stop", [1, 5, 11])
def test_a_run_that_was_stopped_ends_like_one_that_was_not(
    tmp_path: Path, finder: Any, film: Any, stop: int
):
    stack = Stack.from_array(film.frames(), axes=("t",))
    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
    reference = film.reference(0)
    segment_video(finder, stack, reference, tmp_path / "whole/a.ome.zarr", memory=HOW)
    token = CancelToken()

    def tell(progress: Progress) -> None:
        if progress.done == stop:
            token.cancel()

    out = tmp_path / "stopped/a.ome.zarr"
    with pytest.raises(Cancelled, match=f"{stop} of {COUNT} planes are in"):
        segment_video(finder, stack, reference, out, memory=HOW, cancel=token, progress=tell)
    result = segment_video(finder, stack, reference, out, memory=HOW, resume=True)
    assert result.asked == COUNT - stop
    assert contents(tmp_path / "whole") == contents(tmp_path / "stopped")
    (recipe := tmp_path / "stopped/a_recipe.json").write_text("of the run that asked")
    again = segment_video(finder, stack, reference, out, memory=HOW, resume=True)
    assert recipe.read_text() == "of the run that asked"
    assert again.asked == 0
    assert again.planes == result.planes


def test_killed_between_the_plane_and_what_is_remembered(
    tmp_path: Path, finder: Any, film: Any, monkeypatch: pytest.MonkeyPatch
):
    stack = Stack.from_array(film.frames(), axes=("t",))
    reference = film.reference(0)
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    segment_video(finder, stack, reference, tmp_path / "whole/a.zarr", memory=HOW)
    real, written = video_run.write_whole, []

    def killed(path: Path, data: bytes, **settings: Any) -> None:
        written.append(path)
        if len(written) == 6:
            raise KeyboardInterrupt
        real(path, data, **settings)

    monkeypatch.setattr(video_run, "write_whole", killed)
    with pytest.raises(KeyboardInterrupt):
        segment_video(finder, stack, reference, tmp_path / "killed/a.zarr", memory=HOW)
    monkeypatch.undo()
    segment_video(finder, stack, reference, tmp_path / "killed/a.zarr", memory=HOW, resume=True)
    assert contents(tmp_path / "whole") == contents(tmp_path / "killed")


def test_other_settings_do_not_go_on(tmp_path: Path, finder: Any, film: Any):
    stack = Stack.from_array(film.frames(), axes=("t",))
    out = tmp_path / "a.zarr"
    segment_video(finder, stack, film.reference(0), out, memory=HOW)
    with pytest.raises(OutputError, match="go on with it by resume"):
        segment_video(finder, stack, film.reference(0), out, memory=HOW)
    with pytest.raises(OutputError, match=r"another memory\.every, memory\.size"):
        segment_video(finder, stack, film.reference(0), out, memory="object", resume=True)
    segment_video(finder, stack, film.reference(0), out, memory="kind", overwrite=True)


def test_from_a_marked_plane_in_the_middle_it_goes_both_ways(
    tmp_path: Path, finder: Any, film: Any
):
    stack = Stack.from_array(film.frames(), axes=("z",))
    reference = film.reference(0, 5)
    segment_video(finder, stack, reference, tmp_path / "a.zarr", memory="object,start=5")
    found = planes(tmp_path / "a.zarr")
    for number in range(COUNT):
        assert np.array_equal(found[number] > 0, film.truth(0, number))


def test_stopped_on_the_way_back(tmp_path: Path, finder: Any, film: Any):
    stack = Stack.from_array(film.frames(), axes=("z",))
    reference = film.reference(0, 5)
    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
    how = f"{HOW},start=5"
    segment_video(finder, stack, reference, tmp_path / "whole/a.zarr", memory=how)
    token = CancelToken()
    out = tmp_path / "stopped/a.zarr"
    with pytest.raises(Cancelled):
        segment_video(
            finder, stack, reference, out, memory=how, cancel=token,
            progress=lambda p: token.cancel() if p.done == 12 else None,
        )  # fmt: skip
    segment_video(finder, stack, reference, out, memory=how, resume=True)
    assert contents(tmp_path / "whole") == contents(tmp_path / "stopped")


def test_every_depth_of_a_stack_over_time_is_a_film(tmp_path: Path, finder: Any, film: Any):
    both = np.stack([film.frames(), film.frames()[:, ::-1]], axis=1)
    stack = Stack.from_array(both, axes=("t", "z"))
    segment_video(finder, stack, film.reference(0), tmp_path / "a.zarr", memory="kind")
    found = open_stack(tmp_path / "a.zarr")
    assert np.array_equal(found.plane((3, 0)), found.plane((3, 1))[::-1])


def test_a_movie_by_its_path(tmp_path: Path, finder: Any, film: Any):
    clip = tmp_path / "clip.mp4"
    with MovieWriter(clip, (60, 80), 8) as movie:
        for number in range(COUNT):
            movie.add(film.frame(number))
    stack = open_stack(clip)
    from vrpsam_app.references import Reference

    reference = Reference.from_mask(stack.plane((0,)), film.truth(0, 0))
    segment_video(finder, clip, reference, tmp_path / "clip_labels.ome.zarr", memory=HOW)
    labels = open_stack(tmp_path / "clip_labels.ome.zarr")
    for number in range(COUNT):
        found, truth = labels.plane((number,)) > 0, film.truth(0, number)
        assert (found & truth).sum() >= 0.8 * (found | truth).sum()
    shown = write_overlay_movie(stack, labels, tmp_path / "shown.mp4", rate=8)
    with MovieFile(shown) as drawn:
        assert len(drawn) == COUNT
        assert drawn.rate == 8
        inside = drawn.frame(0)[24:28, 8:12].reshape(-1, 3).mean(0)
        beside = drawn.frame(0)[45:49, 64:68].reshape(-1, 3).mean(0)
    assert inside[2] > beside[2] + 40  # blue is drawn over the one that is followed
    folder = write_mask_frames(labels, tmp_path / "masks")
    names = sorted(p.name for p in folder.iterdir())
    assert names == [f"{i:05d}.png" for i in range(COUNT)]
    from vrpsam_app.label_files import read_labels

    assert np.array_equal(read_labels(folder / "00003.png"), labels.plane((3,)))
    with pytest.raises(OutputError, match="exists"):
        write_mask_frames(labels, folder)
    write_mask_frames(labels, folder, overwrite=True)


def test_pictures_fit_their_film(tmp_path: Path):
    film = Stack.from_array(np.zeros((3, 20, 20), np.uint8), axes=("t",))
    with pytest.raises(ConfigError, match="labels of the same film"):
        write_overlay_movie(
            film, Stack.from_array(np.zeros((2, 20, 20), np.uint8)), tmp_path / "a.mp4"
        )
    deep = Stack.from_array(np.zeros((2, 2, 20, 20), np.uint8))
    with pytest.raises(ConfigError, match="expected one, from frame to frame"):
        write_mask_frames(deep, tmp_path / "masks")
    many = Stack.from_array(np.full((1, 8, 8), 300, np.uint16), axes=("t",))
    with pytest.raises(ConfigError, match="255 labels"):
        write_mask_frames(many, tmp_path / "masks")
    assert list(tmp_path.iterdir()) == []


def test_damaged_memory_is_told(tmp_path: Path, finder: Any, film: Any):
    with pytest.raises(OutputError, match="begin again with overwrite"):
        restore_state(b"nothing", None, None)  # type: ignore[arg-type]


def test_routes():
    stack = Stack.from_array(np.zeros((2, 4, 8, 8), np.uint8), axes=("t", "z"))
    over_time = Route.along(stack)
    assert (over_time.axis, len(over_time.legs), len(over_time)) == ("t", 4, 8)
    depth = Route.along(stack, "z", 2)
    assert depth.legs[0] == Leg(((0, 2), (0, 3)))
    assert depth.legs[1] == Leg(((0, 2), (0, 1), (0, 0)), known=1)
    assert depth.leg_of(4) == (1, 2)
    assert depth.leg_of(5) == (2, 5)
    with pytest.raises(ConfigError, match="no axis 'c'"):
        Route.along(stack, "c")
    with pytest.raises(ConfigError, match="expected 0 to 1"):
        Route.along(stack, "t", 2)
    with pytest.raises(ConfigError, match="single plane"):
        Route.along(Stack.from_array(np.zeros((8, 8), np.uint8)))


def test_recipes_hold_the_memory_as_plain_values(tmp_path: Path, finder: Any, film: Any):
    stack = Stack.from_array(film.frames(), axes=("t",))
    segment_video(finder, stack, film.reference(0), tmp_path / "a.zarr", memory="kind,size=0")
    text = (tmp_path / "a_recipe.json").read_text()
    assert json.loads(text)["sections"]["memory"]["follow"] == "kind"


def test_a_recipe_replays_the_way_through_a_stack(tmp_path: Path, finder: Any, film: Any):
    both = np.stack([film.frames(), film.frames()[:, ::-1]])
    path = tmp_path / "film.tif"
    tifffile.imwrite(path, both[:, :4], imagej=True, metadata={"axes": "TZYXS"})
    reference = film.reference(0, 2)
    memory = MemoryOptions(axis="z", start=1)
    segment_video(finder, path, reference, tmp_path / "a.tif", memory=memory)
    (outcome,) = replay(tmp_path / "a_recipe.json", finder, path, tmp_path / "again")
    recipe = Recipe.load(tmp_path / "again/film_labels_recipe.json")
    assert recipe.sections["stack"]["axis"] == "z"
    assert recipe.sections["stack"]["start"] == 1
    assert np.array_equal(planes(outcome.target.out), planes(tmp_path / "a.tif"))


def test_frames_as_they_come_are_answered_as_they_come(finder: Any, film: Any):
    taken: list[int] = []

    def camera() -> Any:
        for number in range(COUNT):
            taken.append(number)
            yield film.frame(number)

    answers = predict_video(finder, camera(), film.reference(0), memory=HOW)
    for number in range(3):
        assert next(answers).number == number
        assert len(taken) <= number + 1


def test_predicted_and_stored_are_the_same(tmp_path: Path, finder: Any, film: Any):
    stack = Stack.from_array(film.frames(), axes=("t",))
    segment_video(finder, stack, film.reference(0), tmp_path / "a.zarr", memory=HOW)
    found = planes(tmp_path / "a.zarr")
    for answer in predict_video(finder, stack, film.reference(0), memory=HOW):
        assert np.array_equal(answer.labels, found[answer.number])


def test_films_that_are_none(finder: Any, film: Any):
    from vrpsam_app.errors import ImageError

    reference = film.reference(0)
    with pytest.raises(ImageError, match="no frame"):
        next(predict_video(finder, [], reference))
    with pytest.raises(ImageError, match="Frame 1 has shape"):
        list(predict_video(finder, [film.frame(0), film.frame(1)[:30]], reference))
    deep = Stack.from_array(np.zeros((2, 2, 20, 20), np.uint8))
    with pytest.raises(ImageError, match="expected one"):
        next(predict_video(finder, deep, reference))
    with pytest.raises(ConfigError, match="no axis and no start"):
        next(predict_video(finder, film.frames(), reference, memory="object,start=2"))
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        next(predict_video(finder, film.frames(), reference, cancel=token))


def test_sixteen_bits_have_one_range(finder: Any, film: Any):
    from vrpsam_app.references import Reference

    frames = film.frames().astype(np.uint16) * 100
    frames[5:] //= 2  # the light goes down; were each frame scaled on its own, it would not show
    reference = Reference.from_mask(frames[0], film.truth(0, 0))
    answers = list(predict_video(finder, Stack.from_array(frames, axes=("t",)), reference))
    assert answers[3].verdicts["object"].present
    assert not answers[6].verdicts["object"].present
