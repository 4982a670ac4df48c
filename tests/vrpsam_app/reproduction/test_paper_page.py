"""The page is made of its file of results, and of nothing else."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from vrpsam_app.cli import build_parser
from vrpsam_app.errors import ConfigError
from vrpsam_app.reproduction.measured import Measured
from vrpsam_app.reproduction.paper_page import load_results, page, results_path, write_page
from vrpsam_app.reproduction.paper_tables import EXPERIMENTS, experiment

DOCS = Path(__file__).resolve().parents[3] / "docs"


def measured(fold: int, value: float, steps: int = 400) -> Measured:
    run = experiment("table5").cells[0].runs()[fold]
    return Measured(
        key=f"{fold}-{steps}",
        scale="small",
        variant=run.variant,
        trial=run.trial,
        fold=fold,
        value=value,
        settings={"steps": steps, "size": 128},
    )


def test_the_page_of_the_docs_is_that_of_its_results() -> None:
    results = load_results(results_path(DOCS / "paper.md"))
    assert (DOCS / "paper.md").read_text(encoding="utf-8") == page(results)


def test_the_page_has_every_experiment_and_only_commands_that_parse() -> None:
    text = page([])
    assert re.findall(r"^## (Table \d|Figure \d)\.", text, re.MULTILINE) == [
        e.label for e in EXPERIMENTS.values()
    ]
    blocks = "\n".join(re.findall(r"```bash\n(.*?)```", text, re.DOTALL)).replace("\\\n", " ")
    typed = [shlex.split(line)[1:] for line in blocks.splitlines() if line.strip()]
    typed += [shlex.split(words) for words in re.findall(r"`(reproduce [^`]+)`", text)]
    assert len(typed) > 80
    for words in typed:
        options = build_parser().parse_args(words)
        assert set(options.experiments) <= set(EXPERIMENTS)


def test_links_of_the_page_exist() -> None:
    links = re.findall(r"\]\(([^)]+)\)", page([]))
    assert links
    assert all((DOCS / link).exists() for link in links)


def test_results_are_added_to_those_there(tmp_path: Path) -> None:
    path = tmp_path / "paper.md"
    write_page(path, [measured(0, 30.0), measured(1, 40.0)])
    write_page(path, [measured(1, 50.0)])
    known = load_results(results_path(path))
    assert sorted((r.fold, r.value) for r in known) == [(0, 30.0), (1, 50.0)]
    text = path.read_text(encoding="utf-8")
    assert "| 40.0 \N{PLUS-MINUS SIGN} 0.0 (folds 0, 1) |" in text
    assert text.count("- small scale: size 128, steps 400") == 1
    assert results_path(path).name == "paper_results.json"


def test_results_made_in_two_ways_are_said_to_be(tmp_path: Path) -> None:
    text = page([measured(0, 30.0), measured(1, 30.0, steps=10)])
    assert "steps 400" in text
    assert "steps 10\n" in text


def test_the_order_of_results_does_not_matter(tmp_path: Path) -> None:
    one, other = tmp_path / "one.md", tmp_path / "other.md"
    write_page(one, [measured(0, 30.0), measured(1, 40.0)])
    write_page(other, [measured(1, 40.0), measured(0, 30.0)])
    assert results_path(one).read_bytes() == results_path(other).read_bytes()
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize(
    "text", ["[]", "{", json.dumps({"kind": "vrpsam paper results", "version": 0}), "{}"]
)
def test_a_strange_file_of_results_is_named(tmp_path: Path, text: str) -> None:
    results_path(tmp_path / "paper.md").write_text(text)
    with pytest.raises(ConfigError, match=r"paper_results\.json"):
        write_page(tmp_path / "paper.md", [])
