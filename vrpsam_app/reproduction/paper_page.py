"""The page that lists every cell of the paper's experiments, made of a file of results."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.report_table import ReportTable
from vrpsam_app.image_files import write_whole
from vrpsam_app.json_fields import json_list, json_object
from vrpsam_app.reproduction.experiments import Experiment
from vrpsam_app.reproduction.measured import Measured, Scale
from vrpsam_app.reproduction.paper_tables import EXPERIMENTS
from vrpsam_app.reproduction.result_tables import own_table, quoted_table

_KIND = "vrpsam paper results"
_VERSION = 1
_MOST_RESULTS = 10_000

INTRODUCTION = """\
# The paper's experiments

Every table and figure of the VRP-SAM paper (Sun et al., CVPR 2024, arXiv:2402.17726) is a command.
The commands make this page from [paper_results.json](paper_results.json); nobody types a number
into it. Where the sources contradict each other, [sources.md](sources.md) says what we do.

## At the paper's scale

```bash
vrpsam reproduce table1 --out runs/paper \\
    --coco /path/to/COCO2014 --pascal /path/to/VOC2012 \\
    --sam sam_vit_h_4b8939.pth \\
    --backbone resnet50_v2=resnet50_v2.pth vgg16_bn=vgg16_bn.pth dinov2_b14=dinov2_vitb14.pth \\
    --write-docs docs/paper.md
```

trains by the presets `paper-coco` and `paper-pascal`: published sizes, marks and schedules, 1000
episodes of each fold at 512 x 512. It wants a GPU and days. A cell for which a data set or a
backbone was not given is left out, and its status says what it needs. The published code chooses
the epoch on the test fold itself; this does not, unless told to by `--best-epoch`.

## At small scale

```bash
vrpsam reproduce table1 --out runs/paper --write-docs docs/paper.md
```

needs nothing and takes minutes on two cores. Everything is smaller, and made here:

| at the paper's scale | at small scale |
|---|---|
| COCO-20i: 80 classes, 20 novel in a fold | 16 worlds of scenes, 4 novel in a fold |
| PASCAL-5i: 20 classes, 5 novel in a fold | 12 of these worlds seen from nearer, 3 novel |
| SAM ViT-H | a SAM of segment-anything's classes with 0.7 M weights |
| ResNet-50, VGG-16 | small networks with and without shortcuts |
| DINOv2 | nothing |
| pictures of 512 x 512, prompts of 256 channels | 128 x 128, 64 channels |
| 50 or 100 epochs | some hundred steps |

The small SAM learns to answer clicks and boxes on scenes, the small backbones to tell classes of
scenes apart; then both are frozen. The VRP encoder, its losses, its marks and its questions are
those of the large scale. SAM and backbones have seen scenes of every world, as SA-1B and ImageNet
hold things of every kind, but none of the pictures that are asked about; the VRP encoder has seen
base worlds only. Commands in one folder share what they train, and a command that was stopped goes
on where it was.

**The figures at small scale are modest and say little about the paper's.** They show that every
experiment runs, and what it compares. One training run stands behind each fold, so that differences
of a few points are chance; the interval beside a figure covers the drawing of the questions only.

## Reading the tables

Figures are mIoU in percent over the novel classes of a fold, or their mean over four folds. Ours
stand with a 95 % interval. Other people's methods are quoted from the paper and not run here, but
for PerSAM and PerSAM-F.
"""


def page(results: Sequence[Measured]) -> str:
    """Return the whole page as Markdown."""
    parts = [INTRODUCTION, _settings_line(results)]
    for experiment in EXPERIMENTS.values():
        parts.append(_section(experiment, results))
    return "\n".join(part for part in parts if part)


def write_page(path: Path, new: Iterable[Measured]) -> Path:
    """Add results to the file beside a page and make the page anew.

    Parameters
    ----------
    path : Path
        Of the page; the results lie beside it under the same name with ``_results.json``.
    new : iterable of Measured
        A result replaces an older one of the same run and scale.

    Raises
    ------
    ConfigError
        If the file of results cannot be understood.
    OutputError
        If a file cannot be written.
    """
    kept = {_place(r): r for r in load_results(results_path(path))}
    kept.update({_place(r): r for r in new})
    results = sorted(kept.values(), key=_place)
    lines = ",\n".join(json.dumps(r.to_json(), sort_keys=True) for r in results)
    head = f'{{"kind": "{_KIND}", "version": {_VERSION}, "results": [\n{lines}\n]}}\n'
    write_whole(results_path(path), head.encode("utf-8"), overwrite=True)
    write_whole(path, page(results).encode("utf-8"), overwrite=True)
    return path


def results_path(page_path: Path) -> Path:
    """Return where the results behind a page lie."""
    return page_path.with_name(f"{page_path.stem}_results.json")


def load_results(path: Path) -> list[Measured]:
    """Read a file of results; none if there is no file.

    Raises
    ------
    ConfigError
        If it is something else.
    """
    if not path.exists():
        return []
    try:
        document = json_object(json.loads(path.read_text(encoding="utf-8")), str(path))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read ({error}): restore it.") from error
    if (document.get("kind"), document.get("version")) != (_KIND, _VERSION):
        raise ConfigError(
            f"{path} is {document.get('kind')!r} of version {document.get('version')!r}: expected "
            f"{_KIND!r} of version {_VERSION}."
        )
    items = json_list(document.get("results"), f"{path}: results", _MOST_RESULTS)
    return [Measured.from_json(item) for item in items]


def _section(experiment: Experiment, results: Sequence[Measured]) -> str:
    tables = [own_table(experiment, results), quoted_table(experiment)]
    return "\n".join(
        [
            f"## {experiment.label}. {experiment.title}",
            "",
            *([experiment.remark, ""] if experiment.remark else []),
            *(t.to_markdown() for t in tables if isinstance(t, ReportTable)),
        ]
    )


def _settings_line(results: Sequence[Measured]) -> str:
    """Say what the results of each scale were made with, where all agree; else each way."""
    lines = []
    scales: dict[Scale, str] = {"small": "small scale", "paper": "the paper's scale"}
    for scale, words in scales.items():
        made = [r.settings for r in results if r.scale == scale and r.settings]
        ways = list(dict.fromkeys(json.dumps(dict(m), sort_keys=True) for m in made))
        for way in ways:
            said = ", ".join(f"{key} {value}" for key, value in json.loads(way).items())
            lines.append(f"- {words}: {said}")
    return "\n".join(["Made with:", "", *lines, ""]) if lines else ""


def _place(result: Measured) -> str:
    """Return what tells the results of a page apart, whatever they were made with."""
    plain = result.to_json()
    names = ("scale", "measure", "variant", "trial", "fold")
    return json.dumps([plain[name] for name in names], sort_keys=True)
