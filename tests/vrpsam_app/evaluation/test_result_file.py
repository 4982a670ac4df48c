from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from vrpsam_app.errors import ConfigError, OutputError
from vrpsam_app.evaluation.result_file import ResultFile


@dataclass(frozen=True)
class Line:
    name: str
    value: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def from_json(data: Any) -> Line:
    try:
        return Line(**data)
    except TypeError as error:
        raise ConfigError(f"{data} is no line.") from error


@pytest.fixture
def file(tmp_path: Path) -> ResultFile[Line]:
    return ResultFile(tmp_path / "lines.jsonl", from_json)


def test_what_is_appended_is_read_again(file: ResultFile[Line]):
    lines = [Line("a", 0.1), Line("é|\n", float("nan")), Line("a", 2.0)]
    assert list(file.read()) == []
    for line in lines:
        file.append(line)
    assert [line.name for line in file.read()] == ["a", "é|\n", "a"]
    assert [line.value for line in file.read()][::2] == [0.1, 2.0]


@pytest.mark.parametrize("rest", [b'{"name": "b", "va', b"{", b'{"name": "b", "value": 1}'])
def test_a_line_that_was_cut_is_forgotten(file: ResultFile[Line], rest: bytes):
    file.append(Line("a", 1.0))
    with open(file.path, "ab") as opened:
        opened.write(rest)
    assert list(file.read()) == [Line("a", 1.0)]
    file.append(Line("c", 3.0))
    assert list(file.read()) == [Line("a", 1.0), Line("c", 3.0)]


def test_a_first_line_that_was_cut_is_forgotten(file: ResultFile[Line]):
    file.path.write_bytes(b'{"name": "' + b"x" * 9000)
    file.append(Line("c", 3.0))
    assert list(file.read()) == [Line("c", 3.0)]


@pytest.mark.parametrize("line", ["nonsense", '{"other": 1}', "[]"])
def test_a_damaged_line_is_named(file: ResultFile[Line], line: str):
    file.append(Line("a", 1.0))
    with open(file.path, "a", encoding="utf-8") as opened:
        opened.write(line + "\n")
    with pytest.raises(ConfigError, match=r"lines\.jsonl, line 2: .*Remove the line"):
        list(file.read())


def test_a_folder_that_is_not_there_is_named(tmp_path: Path):
    file = ResultFile(tmp_path / "none" / "lines.jsonl", from_json)
    with pytest.raises(OutputError, match=r"lines\.jsonl cannot be written"):
        file.append(Line("a", 1.0))
