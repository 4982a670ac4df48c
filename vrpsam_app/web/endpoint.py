"""The public endpoints: the page's work for programs, through ``gradio_client``."""

from __future__ import annotations

import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

from gradio import FileData
from gradio.utils import get_upload_folder

from vrpsam_app import batch, output_paths
from vrpsam_app.annotations import annotations_from_json
from vrpsam_app.errors import AnnotationError, ImageFileError
from vrpsam_app.image_files import read_image
from vrpsam_app.references import Reference, labels_of
from vrpsam_app.stack_runs.targets import StackReading, common_pixel_size
from vrpsam_app.tiles.plan import TileOptions
from vrpsam_app.web.limits import limits
from vrpsam_app.web.model import Choice, ModelShelf, device_names, known_models, method_names
from vrpsam_app.web.pictures import new_folder

KEEP_RESULTS_SECONDS = 600
# The page shows it as one paragraph, so it has no headings.
DESCRIPTION = (
    "Mark an object in one picture and find every one like it in others. Marks are in pixels of "
    "the reference, x to the right and y down: "
    '{"type": "box", "xyxy": [40, 60, 180, 220]}, {"type": "point", "xy": [90, 120]}, '
    '{"type": "scribble", "xy": [[80, 90], [95, 140]], "width": 8} or {"type": "mask", "png": '
    'base64}; with "positive": false a mark says what is not meant. Returns a mask of 0 and 255 '
    "for each target, in its size."
)

_calls: deque[tuple[float, Path]] = deque()
_calls_lock = threading.Lock()


def segment_endpoint(shelf: ModelShelf) -> Callable[..., list[FileData]]:
    """Return the function behind ``/segment``, bound to the process's models."""

    def segment(
        reference: FileData,
        marks: list[dict[str, Any]],
        targets: list[FileData],
        exhaustive: bool = False,
        threshold: float = 0.5,
        model: str = Choice().model,
        method: str = Choice().method,
    ) -> list[FileData]:
        bounds = limits()
        pictures = [_uploaded(target) for target in targets]
        if not 0 < len(pictures) <= bounds.pictures:
            raise ImageFileError(
                f"{len(pictures)} targets were given: expected 1 to {bounds.pictures}. Send more "
                "in several calls."
            )
        if not 0 < threshold < 1:
            raise AnnotationError(
                f"The threshold is {threshold}: expected a number between 0 and 1."
            )
        shown = _uploaded(reference)
        image = read_image(shown, max_pixels=bounds.max_pixels)
        marked = Reference.from_annotations(
            image,
            annotations_from_json(marks, (image.shape[0], image.shape[1])),
            exhaustive=bool(exhaustive),
        )
        masks = _run(shelf, Choice(model, method), marked, shown, pictures, threshold)
        # gradio serves what stands here as plain dictionaries, and takes them for the model.
        return cast("list[FileData]", [FileData(path=str(mask)).model_dump() for mask in masks])

    return segment


def info_endpoint(shelf: ModelShelf) -> Callable[[], dict[str, Any]]:
    """Return the function behind ``/info``."""

    def info() -> dict[str, Any]:
        from vrpsam_app import __version__

        bounds = limits()
        return {
            "version": __version__,
            "default": dict(shelf.of(Choice()).describe()),
            "models": [
                {
                    "name": weights.name,
                    "licence": weights.license,
                    "bytes": weights.size,
                    "state": weights.state,
                }
                for weights in known_models()
            ],
            "methods": method_names(),
            "devices": device_names(),
            "waiting": len(shelf.line),
            "limits": {
                "pixels": bounds.max_pixels,
                "targets": bounds.pictures,
                "waiting": bounds.waiting,
            },
        }

    return info


def _run(
    shelf: ModelShelf,
    choice: Choice,
    reference: Reference,
    shown: Path,
    targets: Sequence[Path],
    threshold: float,
) -> list[Path]:
    """Segment files into a folder of this call, each in its turn; the first failure ends it."""
    max_pixels = limits().max_pixels
    predictor = shelf.of(choice)
    plan = output_paths.plan_outputs(
        targets, _results_folder(), labels_of([reference]), by_folder=False
    )
    results = batch.segment_files(
        predictor,
        [reference],
        plan,
        intensity_range=batch.shared_intensity_range([reference], targets, max_pixels=max_pixels),
        threshold=threshold,
        max_pixels=max_pixels,
        tiling=TileOptions(reference_pixel_size=common_pixel_size([shown], StackReading())),
    )
    for _ in plan:
        with shelf.line.join() as place:
            place.wait()
            result = place.do(partial(next, results))
        if result.error is not None:
            raise result.error
    return [path for outputs in plan for path in outputs.masks.values()]


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
