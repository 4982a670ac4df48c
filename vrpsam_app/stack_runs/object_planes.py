"""Single objects of a stack: cut as each plane is answered, kept until the last, then linked."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ConfigError, OutputError
from vrpsam_app.image_files import write_whole
from vrpsam_app.images import IntensityRange
from vrpsam_app.label_images import pixel_parts
from vrpsam_app.objects.files import write_objects
from vrpsam_app.objects.finding import can_be_prompted, find_objects, linked_planes, typical_in
from vrpsam_app.objects.instances import ObjectOptions, instances_of
from vrpsam_app.objects.linking import DEFAULT_LINKS, LinkOptions
from vrpsam_app.objects.measurements import require_pandas
from vrpsam_app.progress import ProgressMeter
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import ClassPredictions, Prediction, Segmenter
from vrpsam_app.stack_runs.outputs import StackOutput, remove_result
from vrpsam_app.stack_runs.result_array import (
    Index,
    ResultArray,
    ResultLayout,
    cannot_write,
    remove_abandoned,
)
from vrpsam_app.stacks.stack import PixelSize, Stack

Scores = Sequence[Sequence[float]]
"""Of the objects of each class, in the order of their numbers."""


@dataclass(frozen=True, eq=False)
class ObjectTask:
    """How the planes of a stack become objects; it goes to each worker once.

    Attributes
    ----------
    options, links : what is cut, and what keeps its id from plane to plane
    references : as they were given, not as they are shown beside tiles
    pixel_size, reference_pixel_size : of the stack and of the references, None if unknown
    whole : whether planes keep all of their objects, which are filtered once they are linked
    """

    options: ObjectOptions
    links: LinkOptions = DEFAULT_LINKS
    references: Sequence[Reference] = ()
    pixel_size: PixelSize | None = None
    reference_pixel_size: PixelSize | None = None
    whole: bool = False

    def check(self, segmenter: Segmenter, *, in_tiles: bool) -> None:
        """Make sure, before any plane is read, that objects can be cut like this.

        Raises
        ------
        ConfigError
            If the pixel size, or the method or the way planes are shown, do not allow it.
        MissingExtraError
            If pandas is not installed.
        """
        require_pandas()
        options = self.options.in_pixels(self.pixel_size)
        if options.prompts:
            can_be_prompted(segmenter)
        unsure = options.method == "probability" or options.min_score > 0 or options.prompts
        if in_tiles and unsure:
            raise ConfigError(
                f"Objects by {str(self.options)!r} need probabilities, and of planes that are "
                "shown in tiles only masks are kept: leave probability, min-score and prompts "
                "out, or show planes whole (--tiles whole)."
            )

    def objects_of(
        self,
        segmenter: Segmenter,
        pixels: NDArray[Any],
        found: Mapping[str, Prediction],
        intensity_range: IntensityRange | None,
    ) -> NDArray[np.int32]:
        """Cut the classes of a plane, each counting from 1.

        Returns
        -------
        instance_labels : shape (classes, H, W), int32
        """
        return self.scored_objects_of(segmenter, pixels, found, intensity_range)[0]

    def scored_objects_of(
        self,
        segmenter: Segmenter,
        pixels: NDArray[Any],
        found: Mapping[str, Prediction],
        intensity_range: IntensityRange | None,
    ) -> tuple[NDArray[np.int32], Scores]:
        """Cut the classes of a plane, as :meth:`objects_of`, and tell the scores of each class."""
        if len(found) > 1:
            found = ClassPredictions.compete(found).predictions
        cut = np.empty((len(found), *pixels.shape[:2]), np.int32)
        scores = []
        for number, (label, prediction) in enumerate(found.items()):
            objects = find_objects(
                prediction,
                self._cut_by,
                image=pixels,
                references=[r for r in self.references if r.label == label],
                segmenter=can_be_prompted(segmenter) if self.options.prompts else None,
                intensity_range=intensity_range,
                pixel_size=self.pixel_size,
                reference_pixel_size=self.reference_pixel_size,
            )
            cut[number] = objects.instance_labels
            scores.append(objects.scores.tolist())
        return cut, scores

    def cut_again(
        self, mask: NDArray[np.bool_], pixels: NDArray[Any] | None, label: str
    ) -> NDArray[np.int32]:
        """Cut one class of a plane from its mask alone."""
        return instances_of(
            mask,
            self._cut_by,
            image=pixels,
            pixel_size=self.pixel_size,
            diameter=self._typical(label),
        )

    def filters(self, label: str) -> ObjectOptions | None:
        """Return by what the linked objects of a class are filtered, None if each plane was."""
        return self.options.resolved(self.pixel_size, self._typical(label)) if self.whole else None

    def to_json(self) -> dict[str, Any]:
        """Return the sections of a recipe."""
        return {"objects": self.options.to_json(), "links": self.links.to_json()}

    @property
    def _cut_by(self) -> ObjectOptions:
        return self.options.without_filters() if self.whole else self.options

    def _typical(self, label: str) -> float | None:
        return typical_in(
            self.references, label, self.pixel_size, reference_pixel_size=self.reference_pixel_size
        )


class StackObjects:
    """The objects of a stack on disk, from the first plane to the finished files.

    Parameters
    ----------
    task : how they are cut and linked
    output : where the labels of the stack go; the objects go beside them
    stack : what they are found in
    labels : names of the classes
    in_tiles : whether planes are shown in tiles
        Then objects are cut from the stored labels once all of them are there; else each plane's
        are kept in a folder of their own, which lasts as long as the run.
    """

    def __init__(
        self,
        task: ObjectTask,
        output: StackOutput,
        stack: Stack,
        labels: Sequence[str],
        *,
        in_tiles: bool,
    ) -> None:
        self._task, self._output, self._stack = task, output, stack
        self._labels = tuple(labels)
        self.paths = output.objects(labels, axes=bool(stack.axes))
        self._layout = ResultLayout(
            ("class", *stack.axes),
            (len(self._labels), *stack.leading_shape),
            stack.plane_hw,
            np.dtype(np.int32),
        )
        self._in_tiles = in_tiles
        self._planes: ResultArray | None = None

    @property
    def are_written(self) -> bool:
        """Whether all files are there and nothing waits to become one."""
        written = all(file.is_file() for paths in self.paths.values() for file in paths)
        return written and not self._output.object_folder.exists()

    def begin(self, *, overwrite: bool) -> None:
        """Make room for the planes of a new run.

        Raises
        ------
        OutputError
            If a file is there that is not to be replaced, or it cannot be written.
        """
        taken = [file for paths in self.paths.values() for file in paths if file.exists()]
        if taken and not overwrite:
            raise OutputError(
                f"{taken[0]} exists: choose another folder, or allow overwriting (--overwrite)."
            )
        self.remove_planes()
        remove_abandoned(self._output.object_folder)
        if not self._in_tiles:
            self._planes = ResultArray.create(self._output.object_folder, self._layout, {})

    def go_on(self) -> None:
        """Find the planes of a run that was stopped.

        Raises
        ------
        OutputError
            If they are not there any more.
        """
        if self._in_tiles:
            return
        if not self._output.object_folder.is_dir():
            gone = next(f for paths in self.paths.values() for f in paths if not f.is_file())
            raise OutputError(
                f"{gone} was written by this run and is gone: put it back, or begin again with "
                "overwrite."
            )
        self._planes = ResultArray(self._output.object_folder, self._layout)
        self._planes.clean()

    def keep(self, index: Index, objects: NDArray[np.int32], scores: Scores) -> None:
        """Store the objects of a plane, shape (classes, H, W); raises OutputError if it cannot."""
        if self._planes is None:
            return
        path = self._scores_path(index)
        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise cannot_write(path.parent, error) from error
        write_whole(path, json.dumps(scores).encode(), overwrite=True)
        for number, of_class in enumerate(objects):
            for block in range(self._layout.blocks):
                self._planes.write((number, *index), block, of_class[self._layout.rows(block)])

    def write(self, result: ResultArray, meter: ProgressMeter) -> None:
        """Link and measure the objects of a stack that is complete, and write their files.

        Parameters
        ----------
        result : the labels
        meter : told after each plane of each class

        Raises
        ------
        OutputError
            If a file cannot be written. The planes are kept.
        """
        stack = self._stack
        for number, label in enumerate(self._labels):
            cut = self._cut(number, label, result)
            linked = linked_planes(cut, stack, self._task.links)
            scores: Iterator[Mapping[int, float]] | None = None
            if self._planes is not None:
                linked, scores = self._scored(number, linked, self._planes)
            write_objects(
                self.paths[label],
                linked,
                plane_hw=stack.plane_hw,
                axes=stack.axes,
                leading_shape=stack.leading_shape,
                images=map(stack.intensities, stack.indices()),
                pixel_size=self._task.pixel_size,
                channels=stack.channels or None,
                class_name=label,
                scores=scores,
                filters=self._task.filters(label),
                overwrite=True,
                meter=meter,
            )

    def remove_planes(self) -> None:
        """Remove what only the run needed."""
        if self._output.object_folder.is_dir():
            remove_result(self._output.object_folder)

    def _scored(
        self, number: int, linked: Iterator[NDArray[np.int32]], planes: ResultArray
    ) -> tuple[Iterator[NDArray[np.int32]], Iterator[Mapping[int, float]]]:
        """Return the planes of a class, and of each that was read the scores by linked number."""
        told: deque[dict[int, float]] = deque()

        def passing() -> Iterator[NDArray[np.int32]]:
            for index, plane in zip(self._stack.indices(), linked, strict=True):
                scores = json.loads(self._scores_path(index).read_bytes())[number]
                ids = np.zeros(len(scores) + 1, np.int64)
                numbers, linked_ids = planes.read((number, *index)).reshape(-1), plane.reshape(-1)
                for part in pixel_parts(numbers.size):
                    ids[numbers[part]] = linked_ids[part]
                told.append(dict(zip(ids[1:].tolist(), scores, strict=True)))
                yield plane

        return passing(), iter(told.popleft, None)

    def _scores_path(self, index: Index) -> Path:
        name = "-".join(map(str, index)) or "plane"
        return self._output.object_folder / "scores" / f"{name}.json"

    def _cut(self, number: int, label: str, result: ResultArray) -> Iterator[NDArray[np.int32]]:
        for index in self._stack.indices():
            if self._planes is not None:
                yield self._planes.read((number, *index)).astype(np.int32, copy=False)
                continue
            grey = self._task.options.method == "intensity"
            pixels = self._stack.plane(index) if grey else None
            yield self._task.cut_again(result.read(index) == number + 1, pixels, label)


def object_task(
    options: ObjectOptions | None,
    links: LinkOptions,
    stack: Stack,
    references: Sequence[Reference],
    reference_pixel_size: PixelSize | None,
    *,
    whole: bool = False,
) -> ObjectTask | None:
    """Return how the planes of a stack become objects, None if they do not.

    `whole` filters objects that go through planes once they are linked, and not in each plane.
    """
    if options is None:
        return None
    return ObjectTask(
        options,
        links,
        tuple(references),
        stack.pixel_size,
        reference_pixel_size,
        whole and links.goes_through(stack.axes),
    )
