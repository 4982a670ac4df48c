"""The same input gives equal bytes through the page, the endpoint, the command line and Python."""

from __future__ import annotations

import shlex
import shutil
import zipfile
from pathlib import Path

import pytest
from gradio_client import Client, handle_file

from tests.vrpsam_app.web.conftest import served_by
from vrpsam_app import cli
from vrpsam_app.web import as_code, collection, downloads
from vrpsam_app.web.inquiry import Inquiry
from vrpsam_app.web.line import Line
from vrpsam_app.web.marked import read_page
from vrpsam_app.web.model import embedded_predictor
from vrpsam_app.web.visitor import Visitor

MARKS = [
    {"type": "box", "xyxy": [40.5, 50, 60, 70], "positive": True},
    {"type": "point", "xy": [150, 60], "positive": False},
]


@pytest.fixture
def visitor(pictures):
    visitor = Visitor()
    collection.add_marked(visitor, [pictures["reference"]])
    assert collection.add_targets(visitor, [pictures["first"], pictures["second"]]) == []
    collection.remove_target(visitor, visitor.session.marked[0].id)
    yield visitor.session
    visitor.close()


@pytest.fixture
def page(visitor):
    image = visitor.marked[0].id
    reference = {"image": image, "label": "disc", "exhaustive": False, "marks": MARKS}
    return read_page(visitor, {"references": [reference]}, {"threshold": 0.35})


@pytest.fixture(scope="module")
def real_app(tmp_path_factory):
    """Address of the app on the embedded model."""
    yield from served_by(tmp_path_factory, "from vrpsam_app.web.launch import launch_app")


@pytest.fixture
def workplace(visitor, tmp_path, monkeypatch) -> Path:
    """A folder with the visitor's pictures, as a person would have them, to work in."""
    for picture in (*visitor.marked, *visitor.targets):
        shutil.copyfile(picture.path, tmp_path / picture.name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def saved(visitor, workplace):
    """Save everything, leave the recipe in the workplace, and return the masks by name."""

    def save(page) -> dict[str, bytes]:
        *_, saved = downloads.save_archive(Inquiry(embedded_predictor(), Line(), visitor, page))
        assert saved.failed == ()
        with zipfile.ZipFile(saved.path) as bundle:
            bundle.extract("recipe.json", workplace)
            return {
                name.removeprefix("masks/"): bundle.read(name)
                for name in bundle.namelist()
                if name.startswith("masks/")
            }

    return save


def masks_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*_mask.png"))}


def test_page_endpoint_command_and_python_write_equal_bytes(
    visitor, page, saved, workplace, real_app, pictures
):
    by_page = saved(page)
    assert sorted(by_page) == ["first_mask.png", "second_mask.png"]
    assert len(set(by_page.values())) == 2

    command = shlex.split(as_code.as_command(visitor, page).replace("\\\n", ""))
    assert command[:2] == ["vrpsam", "segment"]
    assert cli.main(command[1:]) == 0
    assert masks_in(workplace / "results") == by_page

    replay = ["segment", "--recipe", "recipe.json", "--target", "first.png", "second.png"]
    assert cli.main([*replay, "--out", "again"]) == 0
    assert masks_in(workplace / "again") == by_page

    shutil.rmtree(workplace / "results")
    exec(compile(as_code.as_python(visitor, page), "copied.py", "exec"), {})
    assert masks_in(workplace / "results") == by_page

    client = Client(real_app, verbose=False, analytics_enabled=False)
    masks = client.predict(
        reference=handle_file(str(pictures["reference"])),
        marks=MARKS,
        targets=[handle_file(str(pictures[name])) for name in ("first", "second")],
        threshold=0.35,
        api_name="/segment",
    )
    assert {Path(mask).name: Path(mask).read_bytes() for mask in masks} == by_page


@pytest.mark.parametrize("classes", [("disc",), ("disc", "other one")])
def test_corrections_are_replayed_by_the_command_and_by_python(
    visitor, saved, workplace, capsys, classes
):
    image, (first, second) = visitor.marked[0].id, visitor.targets
    marks = {"disc": MARKS[:1], "other one": [{"type": "box", "xyxy": [140, 50, 160, 70]}]}
    references = [
        {"image": image, "label": label, "exhaustive": False, "marks": marks[label]}
        for label in classes
    ]
    # What the last class has not found by itself.
    other_disc = [25, 25, 55.5, 55] if len(classes) == 1 else [85, 85, 115.5, 115]
    board = {"threshold": 0.35, "min_area": 9}
    plain = saved(read_page(visitor, {"references": references}, board))
    corrections = {
        first.id: {
            "disc": [
                {"type": "point", "xy": [120.5, 80], "positive": False},
                {"type": "point", "xy": [160, 40], "positive": True},
            ]
        },
        second.id: {classes[-1]: [{"type": "box", "xyxy": other_disc}]},
    }
    page = read_page(visitor, {"references": references}, {**board, "corrections": corrections})
    by_page = saved(page)
    corrected = {name for name in plain if by_page[name] != plain[name]}
    assert {name.split("_")[0] for name in corrected} == {"first", "second"}

    command = shlex.split(as_code.as_command(visitor, page).split("\n", 1)[1].replace("\\\n", ""))
    capsys.readouterr()
    assert cli.main(command[1:]) == 0
    assert "2 of 2 pictures that were corrected" in capsys.readouterr().out
    masks = {name: mask for name, mask in by_page.items() if name.endswith("_mask.png")}
    assert masks_in(workplace / "results") == masks

    # Whatever the files are called now, and as often as a replay is replayed.
    shutil.move("second.png", "renamed.png")
    again = ["segment", "--recipe", "results/recipe.json", "--target", "renamed.png"]
    assert cli.main([*again, "--out", "again"]) == 0
    assert "1 of 2 pictures that were corrected" in capsys.readouterr().out
    for name, mask in masks_in(workplace / "again").items():
        assert mask == by_page[name.replace("renamed", "second")]

    shutil.move("renamed.png", "second.png")
    shutil.rmtree(workplace / "results")
    exec(compile(as_code.as_python(visitor, page), "copied.py", "exec"), {})
    assert masks_in(workplace / "results") == masks
