"""The documents keep their promises: paths exist, commands parse, the example runs."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest

import vrpsam_app
from vrpsam_app.cli import build_parser

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted({ROOT / "README.md", *ROOT.glob("docs/*.md")})
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")


def code_blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands(text: str) -> list[list[str]]:
    """Return the shell commands of a document, split into words, continued lines joined."""
    lines = "\n".join(code_blocks(text, "bash")).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines if shlex.split(line, comments=True)]


def tree_paths() -> list[str]:
    """Return the paths that the tree in ARCHITECTURE.md draws, by its indentation."""
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    paths: list[str] = []
    folders: list[str] = []
    for line in code_blocks(page, "text")[0].splitlines():
        names, _, _ = line.strip().partition("  ")
        depth = (len(line) - len(line.lstrip())) // 2
        for name in names.split():
            paths.append("".join(folders[:depth]) + name)
            if name.endswith("/"):
                folders[depth:] = [name]
    return paths


def test_the_tree_is_read():
    assert "vrpsam_app/errors.py" in tree_paths()


@pytest.mark.parametrize("path", tree_paths())
def test_path_of_the_tree_exists(path: str):
    assert (ROOT / path).exists()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_and_pictures_exist(document: str):
    text = (ROOT / document).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = {
        word
        for document in DOCUMENTS
        for word in re.findall(
            r"`?make ([a-z-]+)",
            "\n".join(
                re.findall(
                    r"`[^`]*`|```bash.*?```", (ROOT / document).read_text("utf-8"), re.DOTALL
                )
            ),
        )
    }
    assert named
    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_command_lines_parse(page: Path):
    for words in commands(page.read_text(encoding="utf-8")):
        if words[0] == "vrpsam":
            build_parser().parse_args(words[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_shell_reads_what_can_be_typed(page: Path):
    typed = "\n".join(code_blocks(page.read_text(encoding="utf-8"), "bash"))
    read = subprocess.run(["bash", "-n"], input=typed, capture_output=True, text=True, check=False)
    assert read.stderr == ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_installed_is_the_clone(page: Path):
    """The package may be on no index where the pages are read."""
    assert "vrpsam-app[" not in page.read_text(encoding="utf-8")


def test_extras_that_are_named_exist():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = set(re.findall(r"(?:\.|vrpsam-app)\[([a-z,]+)\]", README))
    assert named
    assert {extra for group in named for extra in group.split(",")} <= set(
        project["optional-dependencies"]
    )


def test_every_dependency_has_a_tested_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    wanted = [line for group in groups for line in group]
    names = {re.split(r"[<>=!\[ ]", line)[0].lower().replace("_", "-") for line in wanted}
    pinned = {
        line.partition("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    }
    assert names - pinned == {"vrpsam-app"}


def test_every_data_file_is_packaged():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    packaged = tomllib.loads(text)["tool"]["setuptools"]["package-data"]
    left_out = [
        path
        for room in ("hub_weights", "vrpsam_app")
        for path in (ROOT / room).rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc", ".pyi")
        if not any(path in (ROOT / room).glob(pattern) for pattern in packaged[room])
    ]
    assert left_out == []


def test_one_version_everywhere():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\nversion: {vrpsam_app.__version__}\n" in citation
    assert re.search(r"^## (\S+)", changes, re.MULTILINE).group(1) == vrpsam_app.__version__


def test_python_example_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The example is executed as it stands, and finds what it says it finds."""
    monkeypatch.chdir(tmp_path)
    (example,) = code_blocks(README, "python")
    names: dict[str, object] = {}
    exec(compile(example, "README.md", "exec"), names)
    prediction = names["prediction"]
    assert prediction.present
    assert prediction.mask.shape == names["target"].shape[:2]
    assert 0.02 < prediction.mask.mean() < 0.7
    assert (tmp_path / "found_mask.png").is_file()


def test_python_examples_run_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for example in code_blocks((ROOT / "docs/python.md").read_text(encoding="utf-8"), "python"):
        exec(compile(example, "docs/python.md", "exec"), names)
    assert names["prediction"].present
    assert names["fewer"].mask.sum() < names["prediction"].mask.sum()
    assert names["middle"].any()
    assert 3 <= len(names["table"]) <= 20
    assert (tmp_path / "coins_objects.csv").is_file()
    first, second = (tmp_path / folder / "a_objects.csv" for folder in ("results", "again"))
    assert first.read_bytes() == second.read_bytes()
