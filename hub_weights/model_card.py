"""What the card of a model says: what it is, what it learned from, what was measured. No more."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub_weights.errors import PublishError

LIBRARY = "vrpsam-app"
PIPELINE = "mask-generation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One figure of an evaluation.

    Attributes
    ----------
    dataset, asked : which data, asked how
    method : name in the evaluation
    mean, low, high : IoU and its 95 % interval
    episodes : questions behind it
    ours : whether it is the published model's, not that of another method beside it
    """

    dataset: str
    asked: str
    method: str
    mean: float
    low: float
    high: float
    episodes: int
    ours: bool


def measurements_of(summary: object, sha256: str, source: str) -> tuple[Measurement, ...]:
    """Read an evaluation's figures and make sure that they are this model's.

    Parameters
    ----------
    summary : object
        What ``summary.json`` of ``vrpsam evaluate`` holds.
    sha256 : hexadecimal
        Of the weights to be published.
    source : str
        Name of the file, for messages.

    Raises
    ------
    PublishError
        If it is no such file, or what was measured is another model.
    """
    try:
        methods: Mapping[str, Any] = summary["methods"]  # type: ignore[index]
        cells: Sequence[Any] = summary["cells"]  # type: ignore[index]
        ours = {name for name, said in methods.items() if said.get("sha256") == sha256}
        others = sorted({str(s["sha256"])[:12] for s in methods.values() if s.get("sha256")})
        found = tuple(
            Measurement(
                dataset=str(cell["dataset"]),
                asked=_asked(cell["column"]),
                method=str(cell["method"]),
                mean=float(cell["iou"]["mean"]),
                low=float(cell["iou"]["low"]),
                high=float(cell["iou"]["high"]),
                episodes=int(cell["episodes"]),
                ours=cell["method"] in ours,
            )
            for cell in cells
            if cell["iou"]["mean"] is not None
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PublishError(
            f"{source} is no result of `vrpsam evaluate` ({type(error).__name__}: {error}): "
            "expected its summary.json."
        ) from error
    if not any(m.ours for m in found):
        raise PublishError(
            f"{source} measures {', '.join(f'{o}...' for o in others) or 'no model'}, these "
            f"weights are {sha256[:12]}...: expected figures of this very model. Measure it: "
            "`vrpsam evaluate --model FOLDER --data ...`."
        )
    return found


def build_card(
    repo_id: str,
    config: Mapping[str, Any],
    measured: Sequence[Measurement],
    *,
    command: str,
    pictures: Sequence[str] = (),
    about: str = "",
) -> str:
    """Write the card: metadata that the Hub reads, then the same for people.

    Parameters
    ----------
    repo_id : ``organisation/name``
    config : what ``config.json`` holds
    measured : from :func:`measurements_of`
    command : by which it was measured
    pictures : names of the published ones
    about : a person's own words, put first
    """
    name = str(config.get("name", repo_id.partition("/")[2]))
    sections = [
        f"---\n{_metadata(name, config, measured)}---\n",
        f"# {name}\n",
        about.strip() + "\n" if about.strip() else "",
        _use(repo_id),
        _pictures(pictures),
        _what(config),
        _learned(config),
        _results(measured, command),
    ]
    return "\n".join(section for section in sections if section)


def _metadata(name: str, config: Mapping[str, Any], measured: Sequence[Measurement]) -> str:
    """Return the front matter; JSON is YAML, so its writer does the quoting."""
    base = [repo for repo in map(_base_model, _foundation(config)) if repo is not None]
    lines = [
        f"license: {json.dumps(str(config['license']))}",
        f"library_name: {LIBRARY}",
        f"pipeline_tag: {PIPELINE}",
        f"tags: {json.dumps(['vrp-sam', 'segment-anything', 'few-shot-segmentation'])}",
    ]
    if base:
        lines.append(f"base_model: {json.dumps(base)}")
    results = [
        {
            "task": {"type": "image-segmentation"},
            "dataset": {"type": m.dataset, "name": f"{m.dataset}, {m.asked}"},
            "metrics": [{"type": "mean_iou", "value": round(m.mean, 4)}],
        }
        for m in measured
        if m.ours
    ]
    lines.append(f"model-index: {json.dumps([{'name': name, 'results': results}])}")
    return "\n".join(lines) + "\n"


def _use(repo_id: str) -> str:
    return (
        "```bash\n"
        f"vrpsam segment --model {repo_id} --reference a.png --box 40,60,180,220 "
        "--target folder/ --out results/\n"
        "```\n"
    )


def _pictures(names: Sequence[str]) -> str:
    return "".join(f"![{name}]({name})\n\n" for name in names).rstrip("\n") + "\n" * bool(names)


def _what(config: Mapping[str, Any]) -> str:
    sam, encoder = config.get("sam") or {}, config.get("vrp_encoder") or {}
    lines = [
        "## What it is\n",
        f"- SAM: {sam.get('name')}, pictures of {sam.get('image_size')} pixels",
        f"- semantic features: {encoder.get('semantic_encoder')}, pictures of "
        f"{encoder.get('image_size')} pixels, resized by {config.get('resize')}",
        f"- visual prompts: {encoder.get('num_queries')}",
        f"- licence: {config['license']}",
    ]
    for part, file in (config.get("foundation") or {}).items():
        lines.append(
            f"- stands on {file['file']} ({part}, SHA-256 `{file['sha256']}`), which is not in "
            "this repository"
        )
    return "\n".join(lines) + "\n"


def _learned(config: Mapping[str, Any]) -> str:
    facts = json.dumps(config.get("training"), indent=2, ensure_ascii=False)
    return f"## What it learned from\n\nAs recorded in `config.json`:\n\n```json\n{facts}\n```\n"


def _results(measured: Sequence[Measurement], command: str) -> str:
    rows = [
        f"| {m.dataset} | {m.asked} | {'**' * m.ours}{m.method}{'**' * m.ours} | {m.mean:.3f} | "
        f"{m.low:.3f} to {m.high:.3f} | {m.episodes} |"
        for m in measured
    ]
    return "\n".join(
        [
            "## What was measured\n",
            "Mean intersection over union, with 95 % intervals over episodes. In bold this model, "
            "beside it the other methods of the same run. `summary.json` has every figure.\n",
            "| data | asked by | method | IoU | 95 % | episodes |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            f"```bash\n{command}\n```\n",
        ]
    )


def _asked(column: Mapping[str, Any]) -> str:
    """Return a column of the evaluation in words."""
    shots = int(column["shots"])
    words = f"{column['format']}, {shots} reference{'s' * (shots > 1)}"
    return f"{words}, {column['shift']}" if column.get("shift") else words


def _foundation(config: Mapping[str, Any]) -> list[str]:
    return [str(file["sha256"]) for file in (config.get("foundation") or {}).values()]


def _base_model(sha256: str) -> str | None:
    from hub_weights.registry import entry_with

    entry = entry_with(sha256)
    return None if entry is None or entry.download is None else entry.download.repo_id
