"""What ``vrpsam segment`` says: a line for each target, a bar, and how long a stack will take."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vrpsam_app.batch import FileResult
    from vrpsam_app.folder_run import StackOutcome
    from vrpsam_app.objects.paths import ObjectPaths
    from vrpsam_app.progress import Progress, ProgressCallback
    from vrpsam_app.stack_runs.targets import StackTarget

# A run that takes less is over before anybody has read how long it takes.
_WORTH_SAYING = 60.0
_MOST_NAMED = 5  # targets in one line; those that failed have been reported where they did


def shown(results: Iterator[FileResult], total: int) -> Iterator[FileResult]:
    """Report pictures as they are done, beside a bar."""
    from tqdm import tqdm

    for result in tqdm(results, total=total, unit="image", disable=None if total else True):
        if result.record is None:
            tqdm.write(failure(result.outputs.target, result.error), file=sys.stderr)
        else:
            tqdm.write(picture_summary(result))
        yield result


def show_stack(outcome: StackOutcome) -> None:
    """Report a stack."""
    from tqdm import tqdm

    if outcome.result is None:
        target = outcome.target
        tqdm.write(failure(target.path, outcome.error, known_as=target.out), file=sys.stderr)
    else:
        tqdm.write(stack_summary(outcome))


def picture_summary(result: FileResult) -> str:
    """Say in one line what was found in a picture and where it was written."""
    several = len(result.predictions) > 1
    found = [
        f"{f'{prediction.label} ' if several else ''}"
        f"{'present' if prediction.present else 'not present'}, score {prediction.score:.2f}, "
        f"{100 * float(prediction.mask.mean()):.1f} % of pixels"
        f"{_objects(result.objects, prediction.label)}"
        for prediction in result.predictions
    ]
    written = result.outputs.labels or next(iter(result.outputs.masks.values()))
    return f"{result.outputs.target}: {'; '.join(found)} -> {written}"


def stack_summary(outcome: StackOutcome) -> str:
    """Say in one line what was found in a stack and where it was written."""
    result = outcome.result
    if result is None:
        raise ValueError("a stack that failed has nothing to sum up")
    count = len(result.planes)
    labels = list(result.planes[0].verdicts)
    found = []
    for label in labels:
        verdicts = [plane.verdicts[label] for plane in result.planes]
        present = sum(v.present for v in verdicts)
        name = f"{label} " if len(labels) > 1 else ""
        planes = f"plane{'' if count == 1 else 's'}"
        found.append(f"{name}in {present} of {count} {planes}{_objects(result.objects, label)}")
    kept = "" if result.asked == count else f", {count - result.asked} of them stored before"
    return f"{outcome.target.path}: {'; '.join(found)}{kept} -> {result.path}"


def failure(path: Path, error: Exception | None, known_as: Path | None = None) -> str:
    """Say in one line why a target failed, by its name."""
    reason = str(error) or type(error).__name__
    known = str(path) in reason or (known_as is not None and str(known_as) in reason)
    return reason if known else f"{path}: {reason}"


def failures(failed: Sequence[Path], count: int) -> str:
    """Name the targets that failed."""
    return f"vrpsam: {len(failed)} of {count} failed: {_named(failed)}"


def say_passed_over(paths: Sequence[Path], what_to_do: str) -> None:
    """Name what lies in a folder and is not taken for what is looked for there."""
    if paths:
        print(f"vrpsam: passed over {_named(paths)}: {what_to_do}", file=sys.stderr)


def _named(paths: Sequence[Path]) -> str:
    names = ", ".join(str(path) for path in paths[:_MOST_NAMED])
    return names + (f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else "")


def say_stopped(target: StackTarget) -> None:
    """Say that what is finished of a stack stays."""
    from tqdm import tqdm

    tqdm.write(
        f"{target.path}: stopped. What is finished is kept; the same command with --resume goes "
        "on.",
        file=sys.stderr,
    )


@contextmanager
def stack_bar(target: StackTarget) -> Iterator[ProgressCallback]:
    """Show a bar, and say once how long it will take."""
    from tqdm import tqdm

    from vrpsam_app.progress import in_words

    said = False
    with tqdm(total=None, unit="step", disable=None, leave=False) as bar:

        def tell(progress: Progress) -> None:
            nonlocal said
            bar.total = progress.total
            bar.set_postfix_str(progress.message, refresh=False)
            bar.update(progress.done - bar.n)
            left = progress.seconds_left
            if not said and left is not None:
                said = True
                if left > _WORTH_SAYING:
                    count = target.stack.plane_count
                    planes = "1 plane" if count == 1 else f"{count} planes"
                    tqdm.write(f"{target.path}: {planes}, about {in_words(left)}")

        yield tell


def _objects(written: Mapping[str, ObjectPaths], label: str) -> str:
    """Say how many objects of a class there are."""
    if label not in written:
        return ""
    count = written[label].count()
    return f", {count} object{'' if count == 1 else 's'}"
