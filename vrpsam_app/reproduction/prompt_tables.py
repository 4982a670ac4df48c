"""Tables of the experiments of prompt learning, from what was kept of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vrpsam_app.evaluation.bootstrap import Interval
from vrpsam_app.evaluation.prompt_gain import PromptAnswer, mean_of, paired_difference


def markdown_of(content: Mapping[str, Any], untrained: str, ways: Sequence[str]) -> str:
    """Return the report of an experiment.

    Parameters
    ----------
    content : what :meth:`PromptOutcome.to_json` gave
    untrained : the way that the others are compared with
    ways : of learning, each later one compared with the one before it as well
    """
    counts = content["parameters"]
    settings = content["settings"]
    lines = [
        f"# Prompt learning: {content['experiment']}",
        "",
        f"Learned on {content['learned_on']}: {counts['learned']:,} numbers learned, "
        f"{counts['frozen']:,} left as they are ({counts['learned'] / counts['frozen']:.1%}). "
        f"{settings['steps']} steps of {settings['prompts']} prompts.",
        "",
        "```bash",
        content["command"],
        "```",
        "",
        "| task | pictures learned from | pictures asked about |",
        "| --- | --- | --- |",
        *(f"| {t['name']} | {t['learned']} | {t['asked']} |" for t in content["tasks"]),
        "",
        "Mean IoU of single objects asked for by one click or one loose box; tasks count alike. "
        "Differences are paired by picture, with 95 % bootstrap intervals; **bold** where the "
        "interval excludes zero.",
    ]
    for model, stored in content["answers"].items():
        answers = [PromptAnswer(**a) for a in stored]
        lines += ["", f"## Asked of {model}", ""]
        lines += _table(answers, settings["kinds"], untrained, ways)
        lines += ["", *_by_task(answers, settings["kinds"], untrained, ways)]
    return "\n".join(lines) + "\n"


def _table(
    answers: Sequence[PromptAnswer], kinds: Sequence[Any], untrained: str, ways: Sequence[str]
) -> list[str]:
    pairs = [(way, untrained) for way in ways] + list(zip(ways[1:], ways, strict=False))
    head = ["prompt", untrained, *ways, *(f"{a} − {b}" for a, b in pairs)]  # noqa: RUF001
    rows = [
        [
            kind,
            *(f"{mean_of(answers, kind, way):.3f}" for way in (untrained, *ways)),
            *(_difference(paired_difference(answers, kind, a, b)) for a, b in pairs),
        ]
        for kind in kinds
    ]
    return _markdown(head, rows)


def _by_task(
    answers: Sequence[PromptAnswer], kinds: Sequence[Any], untrained: str, ways: Sequence[str]
) -> list[str]:
    head = ["task", "prompt", untrained, *ways]
    rows = [
        [task, kind, *(f"{mean_of(own, kind, way):.3f}" for way in (untrained, *ways))]
        for task in dict.fromkeys(a.task for a in answers)
        for kind in kinds
        if (own := [a for a in answers if a.task == task])
    ]
    return _markdown(head, rows)


def _difference(interval: Interval) -> str:
    text = f"{interval.mean:+.3f}"
    text = f"**{text}**" if interval.excludes_zero else text
    return f"{text} {interval.low:+.3f} to {interval.high:+.3f}"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        f"| {' | '.join('---' for _ in head)} |",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
