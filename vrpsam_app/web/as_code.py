"""What the page does, as a command and as Python: to be copied and run elsewhere."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from vrpsam_app.web.marked import Asked, marked_references
from vrpsam_app.web.model import Choice
from vrpsam_app.web.session import Session

RECIPE_NOTE = (
    "The references hold painted or saved marks: recipe.json, in the zip of results, has them."
)
_CORRECTED = "Corrections on results are not in here; the zip of results has them."


def as_command(session: Session, asked: Asked) -> str:
    """Return the ``vrpsam segment`` command that gives the same masks.

    Raises
    ------
    AnnotationError, EmptyReferenceError
        If nothing, or nothing sensible, is marked.
    """
    marked_references(session, asked)
    notes = [f"# {_CORRECTED}"] if asked.corrections else []
    words: list[list[str]] = [["vrpsam", "segment"]]
    if _as_options(asked):
        for item in asked.references:
            words += _reference_words(session, item)
    else:
        notes.append(f"# {RECIPE_NOTE}")
        words.append(["--recipe", "recipe.json"])
    words.append(["--target", *(_as_path(target.name) for target in session.targets)])
    words.append(["--out", "results", "--overlay"])
    if asked.threshold != 0.5:
        words.append(["--threshold", f"{asked.threshold:g}"])
    words += _choice_words(session.choice)
    lines = " \\\n  ".join(" ".join(map(shlex.quote, group)) for group in words)
    return "\n".join([*notes, lines]) + "\n"


def as_python(session: Session, asked: Asked) -> str:
    """Return a Python program that gives the same masks.

    Raises
    ------
    AnnotationError, EmptyReferenceError
        If nothing, or nothing sensible, is marked.
    """
    marked_references(session, asked)
    own_marks = _in_json(asked)
    choice = session.choice
    lines = ["from pathlib import Path", ""]
    if own_marks:
        lines.append("from vrpsam_app.annotations import annotations_from_json")
    lines.append("from vrpsam_app.batch import segment_files, shared_intensity_range")
    if own_marks:
        lines.append("from vrpsam_app.image_files import read_image")
    if choice.method != "vrp_sam":
        lines.append("from vrpsam_app.methods import METHODS, MethodSources")
    lines += [
        "from vrpsam_app.output_paths import plan_outputs, prepare_folder",
        "from vrpsam_app.predictor import VRPSAMPredictor",
    ]
    if own_marks:
        lines.append("from vrpsam_app.references import Reference, labels_of")
    else:
        lines += [
            "from vrpsam_app.recipe import Recipe",
            "from vrpsam_app.references import labels_of",
        ]
    lines.append("")
    if asked.corrections:
        lines.append(f"# {_CORRECTED}")
    if own_marks:
        lines += _python_references(session, asked.references)
    else:
        lines += [
            f"# {RECIPE_NOTE}",
            'references = Recipe.load(Path("recipe.json")).references',
        ]
    lines += ["targets = ["]
    lines += [f"    Path({target.name!r})," for target in session.targets]
    lines += ["]", *_python_segmenter(choice)]
    lines += [
        'plan = plan_outputs(targets, prepare_folder(Path("results")), labels_of(references))',
        "for result in segment_files(",
        "    segmenter,",
        "    references,",
        "    plan,",
        "    intensity_range=shared_intensity_range(references, targets),",
        f"    threshold={asked.threshold:g},",
        "):",
        "    for prediction in result.predictions:",
        "        print(result.outputs.target, prediction.label, prediction.score)",
    ]
    return "\n".join(lines) + "\n"


def _reference_words(session: Session, item: Mapping[str, Any]) -> Iterable[list[str]]:
    """Yield the options of one reference, a line each."""
    name = next(p.name for p in session.marked if p.id == item["image"])
    yield ["--reference", _as_path(name), f"--label={item['label']}"]
    for mark in item["marks"]:
        if mark["type"] == "box":
            yield ["--box", _numbers(mark["xyxy"])]
        elif mark["type"] == "point":
            flag = "--point" if mark.get("positive", True) else "--not-point"
            yield [flag, _numbers(mark["xy"])]
        else:
            width = f";{mark['width']:g}" if mark.get("width") is not None else ""
            yield ["--scribble", " ".join(map(_numbers, mark["xy"])) + width]
    if item["exhaustive"]:
        yield ["--exhaustive"]


def _as_options(asked: Asked) -> bool:
    """Tell whether the command line has options for all marks."""
    return all(
        isinstance(mark, Mapping)
        and mark.get("type") in ("box", "point", "scribble")
        and "radius" not in mark
        and (mark.get("positive", True) is True or mark["type"] == "point")
        for item in asked.references
        for mark in item["marks"]
    )


def _in_json(asked: Asked) -> bool:
    """Tell whether all marks are short enough to stand in a program."""
    return all(
        isinstance(mark, Mapping) and mark.get("type") in ("box", "point", "scribble")
        for item in asked.references
        for mark in item["marks"]
    )


def _python_references(session: Session, items: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = ["references = []"]
    for item in items:
        name = next(p.name for p in session.marked if p.id == item["image"])
        lines += [
            f"image = read_image({name!r})",
            "marks = [",
            *(f"    {_as_literal(mark)}," for mark in item["marks"]),
            "]",
            "references.append(",
            "    Reference.from_annotations(",
            "        image,",
            "        annotations_from_json(marks, image.shape[:2]),",
            f"        exhaustive={item['exhaustive']!r},",
            f"        label={item['label']!r},",
            "    )",
            ")",
        ]
    return lines


def _python_segmenter(choice: Choice) -> list[str]:
    load = f"VRPSAMPredictor.from_pretrained({choice.model!r}"
    load += "" if choice.device == "auto" else f", device={choice.device!r}"
    load += ")"
    if choice.method == "vrp_sam":
        return [f"segmenter = {load}"]
    return [
        f"sources = MethodSources.of(lambda: {load}, device={choice.device!r})",
        f"segmenter = METHODS[{choice.method!r}](sources)",
    ]


def _choice_words(choice: Choice) -> list[list[str]]:
    words = []
    if choice.model != "embedded":
        words.append(["--model", choice.model])
    if choice.method != "vrp_sam":
        words.append(["--method", choice.method])
    if choice.device != "auto":
        words.append(["--device", choice.device])
    return words


def _numbers(values: Iterable[float]) -> str:
    return ",".join(str(value) for value in values)


def _as_literal(mark: Mapping[str, Any]) -> str:
    return repr(json.loads(json.dumps(mark)))


def _as_path(name: str) -> str:
    """Return a file name that is not taken for an option."""
    return f"./{name}" if name.startswith("-") else name
