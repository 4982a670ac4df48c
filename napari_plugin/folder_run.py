"""A folder of pictures and stacks, segmented by the core in a worker."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_plugin.model_choice import ModelShelf
from napari_plugin.questions import Question, load
from napari_plugin.threads import in_thread
from vrpsam_app.progress import CancelToken


@dataclass(frozen=True, slots=True)
class FileDone:
    """A file that was segmented, or not: what became of it, in one line."""

    text: str
    failed: bool = False


def run_folder_files(
    shelf: ModelShelf, question: Question, folder: Path, out: Path, cancel: CancelToken
) -> Generator[Any, None, None]:
    """Segment the files of a folder as ``vrpsam segment`` does; stopped runs go on.

    Yields
    ------
    a few words about what is being done, :class:`~vrpsam_app.progress.Progress`, and
    :class:`FileDone` for each file

    Raises
    ------
    VRPSAMError
        If the folder has no image, or results cannot be written.
    """
    from vrpsam_app.batch import FileResult
    from vrpsam_app.folder_run import FolderRun, StackOutcome
    from vrpsam_app.run_settings import RunSettings

    question.check()
    asked = question.settings
    settings = RunSettings(
        threshold=asked.threshold, tiling=asked.tiling, objects=asked.objects, links=asked.links
    )
    run = FolderRun.of(question.references, [folder], out, settings, resume=True)
    segmenter = yield from load(shelf, asked.choice, cancel)

    def work(tell: Callable[[Any], None]) -> None:
        for outcome in run.carry_out(segmenter, cancel=cancel, progress=tell):
            if isinstance(outcome, FileResult):
                name = outcome.outputs.target.name
            elif isinstance(outcome, StackOutcome):
                name = outcome.target.path.name
            else:
                name = outcome.path.name
            error = outcome.error
            text = "done" if error is None else str(error) or type(error).__name__
            tell(FileDone(f"{name}: {text}", failed=error is not None))

    yield from in_thread(work, cancel)
