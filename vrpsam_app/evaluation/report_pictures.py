"""Pictures of a report: the best, the median and the worst answer on each data set."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import VRPSAMError
from vrpsam_app.evaluation.episode_reader import Question
from vrpsam_app.evaluation.episode_result import EpisodeResult
from vrpsam_app.evaluation.evaluator import Evaluator
from vrpsam_app.evaluation.summary import PRIOR, Cell, Summary
from vrpsam_app.geometry import fit_within, resize_bilinear, resize_mask_area
from vrpsam_app.image_files import read_mask
from vrpsam_app.images import to_rgb
from vrpsam_app.overlays import PALETTE, Color, overlay
from vrpsam_app.references import Reference

PANEL_SIDE = 200
"""Longer side of a picture in pixels: a dozen data sets then make a page of a few megabytes."""

COLOURS = 128
"""Colours of a panel's palette, which makes it a third of the size."""

SMALL_MARK = 60
"""Pixels of a panel; marks below are clicks and thin strokes, and are drawn larger and opaque."""

MARK_COLOR, TRUTH_COLOR, FOUND_COLOR = PALETTE[5], PALETTE[2], PALETTE[0]


@dataclass(frozen=True, slots=True)
class Panel:
    """One small picture.

    Attributes
    ----------
    caption : below it
    png : the file
    """

    caption: str
    png: bytes


@dataclass(frozen=True, slots=True)
class Example:
    """One episode: the marked reference, the truth, what the methods found.

    Attributes
    ----------
    title : which one it is and how it went
    panels : Panel of the reference, the truth and each method
    """

    title: str
    panels: tuple[Panel, ...]

    def to_html(self) -> str:
        """Return a ``figure``, its pictures inside the page."""
        panels = "".join(
            f'<div><img alt="{escape(p.caption)}" src="data:image/png;base64,'
            f'{base64.b64encode(p.png).decode("ascii")}"><span>{escape(p.caption)}</span></div>'
            for p in self.panels
        )
        return (
            f'<figure class="example"><figcaption>{escape(self.title)}</figcaption>'
            f'<div class="panels">{panels}</div></figure>'
        )


def choose_examples(
    evaluator: Evaluator, results: Sequence[EpisodeResult], summary: Summary
) -> dict[str, list[Example]]:
    """Draw the best, the median and the worst answer of the first method on each data set.

    Parameters
    ----------
    evaluator : that measured, which kept the masks
    results : of all questions
    summary : of the results

    Returns
    -------
    examples : by data set; pictures that cannot be read any more are left out
    """
    ours = evaluator.methods[0].name
    examples: dict[str, list[Example]] = {}
    for data in evaluator.sets:
        main = evaluator.plan.main_ask(data)
        if main is None:
            continue
        asked = [
            r
            for r in results
            if r.figures and not r.asked.negative and r.asked.dataset == data.name
            if (r.asked.format, r.asked.shots, r.asked.shift) == tuple(main)
        ]
        own = sorted(
            (r for r in asked if r.asked.method == ours),
            key=lambda r: (-r.figures.iou if r.figures else 0.0, r.asked.index),
        )
        cell = next(
            (
                c
                for c in summary.cells
                if (c.dataset, c.method) == (data.name, ours) and tuple(c.column) == tuple(main)
            ),
            None,
        )
        shown = _methods(ours, cell)
        episodes = {e.index: e for e in data.positives}
        for title, result in _best_median_worst(own):
            answers = [
                r
                for name in shown
                for r in asked
                if r.asked.method == name and r.asked.index == result.asked.index
            ]
            try:
                question = evaluator.question(data, episodes[result.asked.index], main)
                example = _example(title, question, result, answers, evaluator)
            except VRPSAMError:
                continue
            examples.setdefault(data.name, []).append(example)
    return examples


def _methods(ours: str, cell: Cell | None) -> list[str]:
    """Return whose answers are shown: ours, the peer's, the prior's."""
    peer = cell.against_peer.other if cell and cell.against_peer else None
    return list(dict.fromkeys(name for name in (ours, peer, PRIOR) if name))


def _best_median_worst(own: Sequence[EpisodeResult]) -> list[tuple[str, EpisodeResult]]:
    places = {"best": 0, "median": len(own) // 2, "worst": len(own) - 1}
    chosen: dict[int, str] = {}
    for title, place in places.items():
        if own:
            chosen.setdefault(place, title)
    return [(title, own[place]) for place, title in sorted(chosen.items())]


def _example(
    title: str,
    question: Question,
    result: EpisodeResult,
    answers: Sequence[EpisodeResult],
    evaluator: Evaluator,
) -> Example:
    reference = question.references[0]
    panels = [
        _marked("reference and mark", reference),
        _panel("truth", question.target, question.truth, TRUTH_COLOR),
    ]
    for answer in answers:
        mask = read_mask(evaluator.mask_path(answer.asked))
        iou = answer.figures.iou if answer.figures else 0.0
        panels.append(
            _panel(f"{answer.asked.method} {iou:.2f}", question.target, mask, FOUND_COLOR)
        )
    iou = result.figures.iou if result.figures else 0.0
    name = f"{title}, IoU {iou:.2f}: {result.asked.label} in {result.asked.target}"
    return Example(name, tuple(panels))


def _panel(caption: str, image: NDArray[np.uint8], mask: NDArray[np.bool_], color: Color) -> Panel:
    hw = fit_within((image.shape[0], image.shape[1]), PANEL_SIDE)
    found = resize_mask_area(mask, hw) > 0.5
    drawn = overlay(resize_bilinear(image, hw), found, color=color, opacity=0.4, outline=1.0)
    return Panel(caption, _encode(drawn))


def _marked(caption: str, reference: Reference) -> Panel:
    """Draw what a person marked, a click so large that it can be seen."""
    from scipy import ndimage

    image = to_rgb(reference.image)
    hw = fit_within((image.shape[0], image.shape[1]), PANEL_SIDE)
    marked = resize_mask_area(reference.positive, hw) > 0
    small = np.count_nonzero(marked) < SMALL_MARK
    if small:
        marked = ndimage.binary_dilation(marked, iterations=3)
    drawn = overlay(
        resize_bilinear(image, hw),
        marked,
        color=MARK_COLOR,
        opacity=0.9 if small else 0.4,
        outline=2.0,
    )
    return Panel(caption, _encode(drawn))


def _encode(picture: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(picture).quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(
        stream, format="PNG", optimize=True
    )
    return stream.getvalue()
