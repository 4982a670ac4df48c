"""The public endpoint ``/segment``: the page's work for programs, through ``gradio_client``."""

from __future__ import annotations

import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from gradio import FileData
from gradio.utils import get_upload_folder

from vrpsam_app import batch
from vrpsam_app.annotations import annotations_from_json
from vrpsam_app.errors import AnnotationError, ImageFileError
from vrpsam_app.image_files import read_image
from vrpsam_app.references import Reference
from vrpsam_app.web.collection import MAX_TARGETS
from vrpsam_app.web.downloads import run_to_folder
from vrpsam_app.web.model import PredictorFactory
from vrpsam_app.web.pictures import new_folder

KEEP_RESULTS_SECONDS = 600
# The page shows it as one paragraph, so it has no headings.
DESCRIPTION = (
    "Mark an object in one picture and find every one like it in others. Marks are in pixels of "
    "the reference, x to the right and y down: "
    '{"type": "box", "xyxy": [40, 60, 180, 220]}, {"type": "point", "xy": [90, 120]} or '
    '{"type": "scribble", "xy": [[80, 90], [95, 140]], "width": 8}; with "positive": false a mark '
    "says what is not meant. Returns a mask of 0 and 255 for each target, in its size."
)

_calls: deque[tuple[float, Path]] = deque()
_calls_lock = threading.Lock()


def segment_endpoint(get_predictor: PredictorFactory) -> Callable[..., list[FileData]]:
    """Return the function behind ``/segment``, bound to the process's predictor."""

    def segment(
        reference: FileData,
        marks: list[dict[str, Any]],
        targets: list[FileData],
        exhaustive: bool = False,
        threshold: float = 0.5,
    ) -> list[FileData]:
        pictures = [_uploaded(target) for target in targets]
        if not 0 < len(pictures) <= MAX_TARGETS:
            raise ImageFileError(
                f"{len(pictures)} targets were given: expected 1 to {MAX_TARGETS}. Send more in "
                "several calls."
            )
        if not 0 < threshold < 1:
            raise AnnotationError(
                f"The threshold is {threshold}: expected a number between 0 and 1."
            )
        image = read_image(_uploaded(reference))
        marked = Reference.from_annotations(
            image,
            annotations_from_json(marks, (image.shape[0], image.shape[1])),
            exhaustive=bool(exhaustive),
        )
        masks = run_to_folder(
            get_predictor(),
            marked,
            pictures,
            _results_folder(),
            intensity_range=batch.shared_intensity_range([marked], pictures),
            threshold=threshold,
        )
        # gradio serves what stands here as plain dictionaries, and takes them for the model.
        return cast("list[FileData]", [FileData(path=str(mask)).model_dump() for mask in masks])

    return segment


def _uploaded(file: object) -> Path:
    """Return the path of a file that a client sent; any other path on this computer is refused."""
    given = file.get("path") if isinstance(file, Mapping) else None
    path = Path(given).resolve() if isinstance(given, str) and "\0" not in given else None
    if path is None or not path.is_relative_to(Path(get_upload_folder()).resolve()):
        raise ImageFileError(
            f"{str(given)[:80]!r} was not uploaded: expected a picture given with handle_file."
        )
    return path


def _results_folder() -> Path:
    """Make a folder for one call, and remove those of calls that were answered long ago.

    gradio copies the results after the call has returned, so they cannot go at once.
    """
    now = time.monotonic()
    with _calls_lock:
        while _calls and now - _calls[0][0] > KEEP_RESULTS_SECONDS:
            shutil.rmtree(_calls.popleft()[1], ignore_errors=True)
        folder = new_folder()
        _calls.append((now, folder))
    return folder
