"""What the page does, as a command and as Python: to be copied and run elsewhere."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from vrpsam_app.web.marked import DEFAULT_THRESHOLD, Asked, marked_references
from vrpsam_app.web.model import DEFAULT_METHOD, EMBEDDED, Choice
from vrpsam_app.web.session import Session

PAINTED_NOTE = (
    "The references hold painted or saved marks: recipe.json, in the zip of results, has them."
)
CORRECTED_NOTE = "Results are corrected by marks: recipe.json, in the zip of results, has them."


def as_command(session: Session, asked: Asked) -> str:
    """Return the ``vrpsam segment`` command that gives the same masks.

    Raises
    ------
    AnnotationError, EmptyReferenceError
        If nothing, or nothing sensible, is marked.
    """
    marked_references(session, asked)
    notes = _notes(asked, painted=not _as_options(asked))
    words: list[list[str]] = [["vrpsam", "segment"]]
    if notes:
        words.append(["--recipe", "recipe.json"])
    else:
        for item in asked.references:
            words += _reference_words(session, item)
    words.append(["--target", *(_as_path(target.name) for target in session.targets)])
    words.append(["--out", "results", "--overlay"])
    if notes or asked.threshold != DEFAULT_THRESHOLD:
        words.append(["--threshold", f"{asked.threshold:g}"])
    if asked.min_area > 1:
        words.append(["--smallest-piece", f"{asked.min_area}"])
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
    notes = _notes(asked, painted=not _in_json(asked))
    lines = _python_replay(session) if notes else _python_run(session, asked)
    return "\n".join([*notes, *lines]) + "\n"


def _notes(asked: Asked, *, painted: bool) -> list[str]:
    """Say why a recipe is needed; nothing if none is."""
    reasons = {PAINTED_NOTE: painted, CORRECTED_NOTE: bool(asked.corrections)}
    return [f"# {reason}" for reason, holds in reasons.items() if holds]


def _python_replay(session: Session) -> list[str]:
    return [
        "from vrpsam_app.folder_run import replay",
        *_python_imports(session.choice),
        "",
        f"targets = {[target.name for target in session.targets]!r}",
        *_python_segmenter(session.choice),
        'for result in replay("recipe.json", segmenter, targets, "results"):',
        '    print(result.error or "done")',
    ]


def _python_run(session: Session, asked: Asked) -> list[str]:
    return [
        "from pathlib import Path",
        "",
        "from vrpsam_app.annotations import annotations_from_json",
        "from vrpsam_app.batch import segment_files, shared_intensity_range",
        "from vrpsam_app.image_files import read_image",
        *_python_imports(
            session.choice, "from vrpsam_app.output_paths import plan_outputs, prepare_folder"
        ),
        "from vrpsam_app.references import Reference, labels_of",
        "",
        *_python_references(session, asked.references),
        "targets = [",
        *(f"    Path({target.name!r})," for target in session.targets),
        "]",
        *_python_segmenter(session.choice),
        'plan = plan_outputs(targets, prepare_folder(Path("results")), labels_of(references))',
        "for result in segment_files(",
        "    segmenter,",
        "    references,",
        "    plan,",
        "    intensity_range=shared_intensity_range(references, targets),",
        f"    threshold={asked.threshold:g},",
        *([f"    smallest_piece={asked.min_area},"] if asked.min_area > 1 else []),
        "):",
        "    for prediction in result.predictions:",
        "        print(result.outputs.target, prediction.label, prediction.score)",
    ]


def _python_imports(choice: Choice, *others: str) -> list[str]:
    """Return what the segmenter needs, with other lines among them in the order of the alphabet."""
    lines = [*others, "from vrpsam_app.predictor import VRPSAMPredictor"]
    if choice.method != DEFAULT_METHOD:
        lines.append("from vrpsam_app.methods import METHODS, MethodSources")
    return sorted(lines)


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
    if choice.method == DEFAULT_METHOD:
        return [f"segmenter = {load}"]
    return [
        f"sources = MethodSources.of(lambda: {load}, device={choice.device!r})",
        f"segmenter = METHODS[{choice.method!r}](sources)",
    ]


def _choice_words(choice: Choice) -> list[list[str]]:
    words = []
    if choice.model != EMBEDDED:
        words.append(["--model", choice.model])
    if choice.method != DEFAULT_METHOD:
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
