from __future__ import annotations

from dataclasses import replace

import pytest

from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.comparison_page import comparison_page, published_table
from vrpsam_app.evaluation.episode_result import Asked, EpisodeResult, Figures
from vrpsam_app.evaluation.method_words import MethodWords
from vrpsam_app.evaluation.published_figures import _PEERS, published_peers
from vrpsam_app.evaluation.report import Report
from vrpsam_app.evaluation.summary import Summary
from vrpsam_app.methods import GUARDS, METHODS, SLOW


def answer(method: str, dataset: str, index: int, shared: int) -> EpisodeResult:
    asked = Asked(
        key=f"{method}{dataset}{index}", method=method, dataset=dataset, label="dog",
        target=f"t{index}", index=index, negative=False, format="mask", shots=1, shift="",
    )  # fmt: skip
    figures = Figures(
        intersection=shared, union=100, background_intersection=5, background_union=10,
        boundary_iou=0.5, objects=None, ungated_iou=shared / 100, found_share=0.1, score=0.5,
        presence=0.5, seconds=1.0, fresh=True, peak_bytes=2**20,
    )  # fmt: skip
    return EpisodeResult(asked, figures)


def report(dataset: str = "perseg", left_out: dict[str, str] | None = None) -> Report:
    shares = {"vrp_sam": 60, "persam_paper": 64, "tuned_threshold": 30}
    results = [
        answer(name, dataset, i, share + i) for name, share in shares.items() for i in range(3)
    ]
    plan = {"episodes": 3, "negatives": 0, "seed": 0, "left_out": left_out or {}}
    return Report("vrpsam evaluate --method all", {}, plan, Summary.of(results), {})


def test_the_page_names_its_command_and_every_method():
    page = comparison_page(report())
    assert page.startswith("# Methods compared\n")
    assert "```bash\nvrpsam evaluate --method all\n```" in page
    assert "| `persam_paper` | PerSAM as published" in page
    assert "| perseg n=3 |" in page
    assert "### Time and memory" in page
    assert page.endswith("|\n")


def test_the_page_does_not_say_where_data_lay():
    typed = "vrpsam evaluate --data /home/me/nuclei,components " + "/data/axons " * 9 + "--out x"
    page = comparison_page(replace(report(), command=typed))
    assert "/home/me" not in page
    assert "/data/" not in page
    shown = page.split("```bash\n")[1].split("```")[0]
    assert max(map(len, shown.splitlines())) < 100
    assert shown.replace(" \\\n   ", "").split() == [
        *("vrpsam", "evaluate", "--data", "labelled/nuclei,components"),
        *(["labelled/axons"] * 9),
        *("--out", "x"),
    ]


def test_what_is_in_print_stands_beside_ours():
    table = published_table(report().summary)
    lines = [[entry.text for entry in row] for row in table.rows]
    assert ["perseg", "mask, 1", "PerSAM, SAM ViT-B", "64.0", "`persam_paper`", "65.0"] in lines
    assert ["perseg", "mask, 1", "SegGPT", "94.3", "", ""] in lines
    smalls = {row[5].text: row[5].small for row in table.rows}
    assert smalls["65.0"].startswith("n=")


def test_nothing_in_print_makes_no_table():
    assert published_table(report("cells").summary) is None
    assert "### In print" not in comparison_page(report("cells"))


def test_vrp_sams_own_figure_is_there_too():
    table = published_table(report("coco-20i val 2").summary)
    assert [row[2].text for row in table.rows] == ["VRP-SAM", "PerSAM", "PerSAM-F"]
    assert table.rows[0][3].small == "mean of folds"


def test_what_was_left_out_is_named():
    page = comparison_page(report(left_out={"persam": "It needs a SAM."}))
    assert "- `persam`: It needs a SAM." in page


def test_a_run_without_answers_is_a_page_too():
    empty = replace(report(), summary=Summary.of([]))
    assert "No question was answered." in comparison_page(empty)


def test_published_peers_name_methods_that_exist():
    assert {p.method for peers in _PEERS.values() for p in peers} - {""} <= set(METHODS)
    assert published_peers("perseg", "click", 1) == ()
    assert published_peers("perseg", "mask", 5) == ()


def test_all_stands_for_every_method_that_is_no_guard():
    words = MethodWords.parse_all(["vrp_sam", "all", "pixel_forest,click,mask"])
    assert words[0] == MethodWords("vrp_sam")
    assert words[1] == MethodWords("pixel_forest", ("click", "mask"))
    assert {w.name for w in words} == set(METHODS) - set(GUARDS)
    assert len(words) == len({w.name for w in words})
    slow = {w.name for w in words if w.shots == (1,)}
    assert slow == set(SLOW) - {"pixel_forest"}
    assert all(w.optional for w in words[2:])
    assert MethodWords.parse_all(["persam"]) == (MethodWords("persam"),)
    with pytest.raises(ConfigError, match="expected one of all"):
        MethodWords.parse_all(["every"])
