"""What is said of code and machine: the same twice, another when the code is another."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from vrpsam_app import __version__, environment
from vrpsam_app.environment import (
    ANSWER_CODE,
    ENCODING_CODE,
    code_version,
    current_environment,
    machine_name,
)

ROOM = Path(environment.__file__).parent


def version_of_copy(room: Path, parts: tuple[str, ...]) -> str:
    script = f"from vrpsam_app.environment import code_version; print(code_version({parts!r}))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=room.parent, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_parts_of_the_encoding_exist():
    parts = {*ENCODING_CODE, *ANSWER_CODE}
    assert [part for part in parts if not (ROOM / part).exists()] == []


def test_version_is_the_release_and_the_source(tmp_path: Path):
    room = tmp_path / "vrpsam_app"
    shutil.copytree(ROOM, room, ignore=shutil.ignore_patterns("__pycache__", "web", "data"))
    assert code_version(ENCODING_CODE).startswith(f"{__version__}+")
    assert version_of_copy(room, ENCODING_CODE) == code_version(ENCODING_CODE)
    before = {parts: version_of_copy(room, parts) for parts in (ENCODING_CODE, ())}
    assert before[()] == code_version()

    other = room / "overlays.py"
    other.write_bytes(other.read_bytes() + b"\n# another picture\n")
    assert version_of_copy(room, ENCODING_CODE) == before[ENCODING_CODE]
    assert version_of_copy(room, ()) != before[()]

    resize = room / "models" / "resize.py"
    resize.write_bytes(resize.read_bytes() + b"\n# another size\n")
    assert version_of_copy(room, ENCODING_CODE) != before[ENCODING_CODE]


def test_environment_names_code_and_machine():
    found = current_environment()
    assert found["code"] == code_version()
    assert found["machine"] == machine_name() != ""
    assert found == current_environment()
