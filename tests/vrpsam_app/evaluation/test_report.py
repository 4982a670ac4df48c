from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from vrpsam_app.data.data_words import DataWords
from vrpsam_app.evaluation.effort import EffortResult
from vrpsam_app.evaluation.evaluation_plan import EvaluationPlan, MeasuredMethod
from vrpsam_app.evaluation.evaluation_set import open_sets
from vrpsam_app.evaluation.evaluator import Evaluator
from vrpsam_app.evaluation.report import Report
from vrpsam_app.evaluation.report_pictures import PANEL_SIDE, choose_examples
from vrpsam_app.evaluation.summary import Summary
from vrpsam_app.image_files import decode_png

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """Checks that tags close in order, and gathers what a reader sees and a browser fetches."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.fetched: list[str] = []
        self.images: list[bytes] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "srcset", "data", "action", "poster"):
                if value.startswith("data:image/png;base64,"):
                    self.images.append(base64.b64decode(value.partition(",")[2], validate=True))
                elif not value.startswith("#"):
                    self.fetched.append(value)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data.strip())


@pytest.fixture
def report(pets_folder: Path, tmp_path: Path, colour_segmenter) -> Report:
    """Report on two methods, one of which finds only what is of exactly the marked grey."""
    twin = type(colour_segmenter)()
    twin.tolerance, twin.made_by = 1.0, {"method": "twin"}
    (pets,) = open_sets(DataWords(pets_folder), tmp_path / "lists", episodes=6, negatives=2)
    evaluator = Evaluator(
        [
            MeasuredMethod("vrp_sam", lambda: colour_segmenter),
            MeasuredMethod("tuned_threshold", lambda: twin),
        ],
        [pets],
        EvaluationPlan(formats=("click", "mask"), shots=(1,)),
        tmp_path / "out",
    )
    broken = pets.positives[-1].target.picture
    (pets_folder / "images" / f"{broken}.png").write_bytes(b"")
    results = list(evaluator.run())
    summary = Summary.of(results)
    return Report(
        command="vrpsam evaluate --data '<pets>'",
        methods=evaluator.descriptions,
        plan={"episodes": 6},
        summary=summary,
        examples=choose_examples(evaluator, results, summary),
    )


def test_the_page_parses_and_fetches_nothing(report: Report):
    text = report.to_html()
    page = Page(text)
    assert page.fetched == []
    assert "url(" not in text
    assert "@import" not in text
    assert "<script" not in text
    assert "vrpsam evaluate --data '<pets>'" in page.words


def test_best_median_and_worst_are_shown(report: Report):
    (examples,) = report.examples.values()
    assert [e.title.partition(",")[0] for e in examples] == ["best", "median", "worst"]
    ious = [float(re.search(r"IoU (\d\.\d\d)", e.title)[1]) for e in examples]
    assert ious == sorted(ious, reverse=True)
    captions = [p.caption.split()[0] for p in examples[0].panels]
    assert captions == ["reference", "truth", "vrp_sam", "tuned_threshold"]
    images = Page(report.to_html()).images
    assert len(images) == sum(len(e.panels) for e in examples)
    assert {max(decode_png(i).shape[:2]) for i in images} == {PANEL_SIDE}


def test_numbers_of_page_json_and_markdown_agree(report: Report, tmp_path: Path):
    paths = report.write(tmp_path)
    summary = json.loads(paths["summary.json"].read_text(encoding="utf-8"))
    cell = next(c for c in summary["cells"] if c["method"] == "vrp_sam")
    shown = f"{cell['iou']['mean']:.3f}"
    assert cell["column"] == {"format": "click", "shots": 1, "shift": ""}
    assert cell["iou"]["mean"] == report.summary.cells[0].iou.mean
    assert any(shown in words for words in Page(paths["report.html"].read_text("utf-8")).words)
    assert shown in paths["tables.md"].read_text(encoding="utf-8")
    assert summary["methods"]["tuned_threshold"] == {"method": "twin"}


def test_what_could_not_be_measured_is_null(report: Report):
    text = json.dumps(report.to_json(), allow_nan=False)
    assert json.loads(text)["cells"][0]["against_prior"] is None


def test_failures_are_named_on_the_page(report: Report):
    assert report.summary.failures
    name = report.summary.failures[0].asked.target
    words = Page(report.to_html()).words
    assert any(f"in {name})" in line and ".png" in line for line in words)
    assert report.to_json()["failures"][0]["error"] == report.summary.failures[0].error


def test_effort_has_a_table_where_it_was_measured(report: Report):
    course = EffortResult("k", "by <hand>", "pets", "dog", "p0", 0, 4, 0.1, 0.9, True)
    assert "Effort" not in Page(report.to_html()).words
    again = Report(
        report.command, report.methods, report.plan, report.summary, report.examples, [course]
    )
    words = Page(again.to_html()).words
    assert "Effort" in words
    assert "by <hand>" in words
    assert again.to_json()["effort"][0]["marks"] == 4


def test_an_older_report_is_replaced(report: Report, tmp_path: Path):
    (tmp_path / "report.html").write_text("old")
    paths = report.write(tmp_path)
    assert paths["report.html"].read_text(encoding="utf-8").startswith("<!doctype html>")
    assert not list(tmp_path.glob("*.part"))
