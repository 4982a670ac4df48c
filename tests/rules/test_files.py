"""What no file of the project may be: a drawer, too long, or tied to one machine."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOST_LINES = 400
DRAWERS = {"common", "core", "helper", "helpers", "manager", "misc", "util", "utils"}
NOT_OURS = {"__pycache__", "build", "dist", "node_modules", "results", "runs"}
TEXT = {".cff", ".css", ".html", ".js", ".json", ".md", ".py", ".sh", ".toml", ".txt", ".yaml"}
NAMED_TEXT = {"Makefile", "run", ".gitignore"}

# Taken apart, so that this file does not hold what it looks for.
FORBIDDEN = re.compile(
    "|".join(
        (
            r"(?<![\w.-])/(?:"
            + "|".join(("work", "farm", "root", "home/[a-z]", "tmp/[a-z]"))
            + ")/",
            r"\.\./" + "shared",
            r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX")) + r")\b",
            r"breakpoint" + r"\(\)",
        )
    )
)


def project_files() -> Iterator[Path]:
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(
            name
            for name in folders
            if name not in NOT_OURS
            and not name.endswith(".egg-info")
            and (not name.startswith(".") or name == ".ci")
        )
        yield from (Path(folder) / name for name in sorted(names))


FILES = list(project_files())
PYTHON = [path for path in FILES if path.suffix == ".py"]


def named(paths: list[Path]) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in paths]


def test_the_project_was_found():
    assert "vrpsam_app/__init__.py" in named(PYTHON)
    assert "tests/rules/test_files.py" in named(PYTHON)


def test_no_python_file_is_long():
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in PYTHON}
    assert named([path for path, length in lengths.items() if length > MOST_LINES]) == []


def test_no_file_or_folder_is_a_drawer():
    drawers = [
        path
        for path in FILES
        if DRAWERS & {Path(part).stem for part in path.relative_to(ROOT).parts}
    ]
    assert named(drawers) == []


def test_no_file_knows_one_machine_or_leaves_work_undone():
    found = [
        f"{path.relative_to(ROOT).as_posix()}:{number}: {line.strip()[:80]}"
        for path in FILES
        if path.suffix in TEXT or path.name in NAMED_TEXT
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if FORBIDDEN.search(line)
    ]
    assert found == []


def test_every_module_opens_with_a_sentence():
    silent = [
        path
        for path in PYTHON
        if (text := path.read_text(encoding="utf-8")).strip()
        and not text.startswith(('"""', 'r"""'))
        if "tests" not in path.parts
    ]
    assert named(silent) == []


def test_no_test_is_skipped_or_expected_to_fail():
    skip = re.compile(r"pytest\." + r"(?:skip|xfail|importorskip|mark\.(?:skip|skipif|xfail))\b")
    tests = [path for path in PYTHON if path.is_relative_to(ROOT / "tests")]
    assert named([p for p in tests if skip.search(p.read_text(encoding="utf-8"))]) == []
