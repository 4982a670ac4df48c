from __future__ import annotations

import ast
import dataclasses
import shlex

import pytest

from vrpsam_app import cli
from vrpsam_app.errors import EmptyReferenceError
from vrpsam_app.web import as_code
from vrpsam_app.web.model import Choice


def words(text: str) -> list[str]:
    """Split a command as a shell does, which goes on after a backslash at the end of a line."""
    lines = [line.removesuffix("\\") for line in text.splitlines() if not line.startswith("#")]
    return shlex.split(" ".join(lines))


def test_the_command_has_an_option_for_every_mark(session, asked, canvas_with, red_box):
    canvas = canvas_with(
        red_box,
        {"type": "point", "xy": [50.25, 60], "positive": True},
        {"type": "point", "xy": [150, 60], "positive": False},
        {"type": "scribble", "xy": [[45, 60], [55, 61]], "width": 4, "positive": True},
        label="red disc",
        exhaustive=True,
    )
    said = words(as_code.as_command(session, asked(canvas=canvas, threshold=0.3)))
    assert said == [
        "vrpsam", "segment", "--reference", "reference.png", "--label=red disc",
        "--box", "40,50,60,70", "--point", "50.25,60", "--not-point", "150,60",
        "--scribble", "45,60 55,61;4", "--exhaustive",
        "--target", "first.png", "second.png", "without.png",
        "--out", "results", "--overlay", "--threshold", "0.3",
    ]  # fmt: skip
    cli.build_parser().parse_args(said[1:])


@pytest.mark.parametrize(
    "mark",
    [
        {"type": "scribble", "xy": [[140, 60], [160, 60]], "width": 4, "positive": False},
        {"type": "point", "xy": [150, 60], "radius": 5, "positive": True},
    ],
    ids=["negative stroke", "radius"],
)
def test_what_has_no_option_is_in_the_recipe(session, asked, red_box, mark):
    text = as_code.as_command(session, asked(red_box, mark))
    assert text.startswith("# ")
    assert words(text)[2:4] == ["--recipe", "recipe.json"]
    assert "annotations_from_json" in as_code.as_python(session, asked(red_box, mark))


def test_model_method_and_device_are_named(session, asked, red_box):
    chosen = dataclasses.replace(session, choice=Choice("org/name", "matching", "cpu"))
    said = words(as_code.as_command(chosen, asked(red_box)))
    assert said[-6:] == ["--model", "org/name", "--method", "matching", "--device", "cpu"]
    program = as_code.as_python(chosen, asked(red_box))
    assert "METHODS['matching']" in program
    assert "from_pretrained('org/name', device='cpu')" in program


def test_names_cannot_break_out(session, asked, red_box):
    evil = "--x '); import os; $(rm) `a` \U0001f9eb.png"
    targets = tuple(dataclasses.replace(t, name=evil) for t in session.targets[:1])
    renamed = dataclasses.replace(session, targets=targets)
    assert f"./{evil}" in words(as_code.as_command(renamed, asked(red_box)))
    tree = ast.parse(as_code.as_python(renamed, asked(red_box)))
    strings = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)}
    assert evil in strings


def test_corrections_are_in_the_recipe(session, asked, red_box):
    marks = {session.targets[0].id: {"object": [{"type": "point", "xy": [5, 5]}]}}
    question = asked(red_box, corrections=marks, threshold=0.3)
    said = words(as_code.as_command(session, question))
    assert said[2:4] == ["--recipe", "recipe.json"]
    assert said[-2:] == ["--threshold", "0.3"]
    assert 'replay("recipe.json", ' in as_code.as_python(session, question)
    for write in (as_code.as_command, as_code.as_python):
        assert write(session, question).startswith(f"# {as_code.CORRECTED_NOTE}\n")


def test_small_pieces_are_left_out_there_too(session, asked, red_box):
    question = asked(red_box, min_area=12)
    said = words(as_code.as_command(session, question))
    assert said[-2:] == ["--smallest-piece", "12"]
    assert cli.build_parser().parse_args(said[1:]).smallest_piece == 12
    assert "    smallest_piece=12,\n" in as_code.as_python(session, question)


def test_without_marks_there_is_nothing_to_write(session, asked):
    for write in (as_code.as_command, as_code.as_python):
        with pytest.raises(EmptyReferenceError):
            write(session, asked())
