"""What a Labels layer with an answer is: of which planes, found how, edited where."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_plugin.number_classes import (
    as_metadata,
    from_features,
    holds_measured,
    named_anew,
    without_measured,
)
from napari_plugin.run_state import Index, PlaneFinding, RunState
from vrpsam_app.recipe import Recipe, TargetRecord

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_plugin.layer_planes import LayerPlanes

METADATA_KEY = "vrpsam-app"
"""Under which a result layer's metadata hold its recipe."""
ROWS_COLS = "rows_cols"
"""Under which they hold the layer's axes that are rows and columns of its planes."""


class ResultRecord:
    """What is known about the answer in a Labels layer.

    Indices are those of ``planes.stack``: one number for each leading axis, ``()`` for a single
    plane. ``planes.place(index)`` says where a plane lies in the layer's data.

    Parameters
    ----------
    layer : the Labels layer
    planes : of the image layers that were asked about
    state : of the first run

    Attributes
    ----------
    changed : emitted when findings, edits or the state change; on the GUI thread
    painted_class : of new numbers that a person paints, empty if nobody says
    """

    changed = Signal()

    def __init__(self, layer: Labels, planes: LayerPlanes, state: RunState) -> None:
        self._layer = weakref.ref(layer)
        self.planes = planes
        self.state = state
        self.painted_class = ""
        self._before: list[RunState] = []
        self._writing = 0
        layer.events.paint.connect(self._on_paint)

    @property
    def layer(self) -> Labels | None:
        """The layer, None once it is gone."""
        return self._layer()

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; of a result that counts no objects in the order of its numbers."""
        return self.state.classes

    @property
    def counts_objects(self) -> bool:
        """Whether numbers are those of objects, not of classes."""
        return self.state.settings.objects is not None

    @property
    def named(self) -> dict[int, str]:
        """Class by number; empty where there is one class of objects.

        What a person writes into the layer's features counts.
        """
        if not self.counts_objects:
            return dict(enumerate(self.classes, start=1))
        named = self.state.numbers.now()
        if not named or self.layer is None:
            return named
        return named | {n: c for n, c in from_features(self.layer.features).items() if c}

    @property
    def findings(self) -> Mapping[Index, PlaneFinding]:
        """What was found in each plane that was answered."""
        return self.state.findings

    @property
    def edited(self) -> frozenset[Index]:
        """Planes that a person painted on; no run writes them unless it is told to."""
        return frozenset(self.state.edited)

    @property
    def missing(self) -> tuple[Index, ...]:
        """Planes that were not answered yet, or whose answer was undone, in order."""
        known = self.state.findings
        return tuple(
            i for i in self.planes.stack.indices() if i not in known or self._was_undone(i)
        )

    @property
    def can_revert(self) -> bool:
        """Whether there is a state before the last run."""
        return bool(self._before)

    @property
    def edited_since_run(self) -> tuple[Index, ...]:
        """Planes that a person edited and that Revert would change, in order."""
        if not self._before:
            return ()
        before = self._before[-1].data
        return tuple(
            i
            for i in sorted(self.state.edited)
            if not np.array_equal(self.plane(i), before[self.planes.place(i)])
        )

    def plane(self, index: Index) -> NDArray[Any]:
        """Return the layer's pixels of a plane, shape (rows, cols)."""
        return np.asarray(self.state.data[self.planes.place(index)])

    def by_doubt(self) -> tuple[Index, ...]:
        """Return the planes that nobody edited, the most doubtful first."""
        open_ones = [i for i in self.state.findings if i not in self.state.edited]
        return tuple(sorted(open_ones, key=lambda i: (-self.state.findings[i].doubt, i)))

    def mark_edited(self, indices: Iterable[Index]) -> None:
        """Remember that a person changed planes."""
        new = set(indices) - self.state.edited
        if new:
            self.state.edited |= new
            self.changed.emit()

    def release(self, indices: Iterable[Index]) -> None:
        """Let runs write planes again that a person changed."""
        self.state.edited -= set(indices)
        self.changed.emit()

    def found(self, index: Index, finding: PlaneFinding) -> None:
        """Take what the model said about a plane; the caller has written its pixels."""
        self._forget_measured()
        self.state.findings[index] = finding
        self.changed.emit()

    def begin(self, state: RunState) -> None:
        """Start a run that can be reverted: `state` takes the place of the one that is there."""
        self._before = [self.state]  # one step back: more would hold several stacks in memory
        layer = self.layer
        self.state.written = None if layer is None else without_measured(layer.features)
        goes_on = bool(state.findings or state.edited)  # else numbers are given to other objects
        self._show(state, self.state.written if goes_on else None)
        self.changed.emit()

    def revert(self) -> None:
        """Bring back the layer as it was before the last run; does nothing where there was none.

        Planes that a person accepted since and that stay as they are remain accepted.
        """
        if not self._before:
            return
        accepted = self.state.edited - set(self.edited_since_run)
        before = self._before.pop()
        before.edited |= accepted
        self._show(before, before.written)
        self.tell_layer()
        self.changed.emit()

    def forget_undo(self) -> None:
        """Let Ctrl+Z bring back nothing from before a run: it would be of data that are gone."""
        layer = self.layer
        if layer is None:
            return
        mode, editable = layer.mode, layer.editable
        for now in (True, False, editable):  # napari forgets when a layer can no longer be edited
            layer.editable = now
        layer.mode = mode

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Mark what the program writes, so that it does not count as a person's edit."""
        self._writing += 1
        try:
            yield
        finally:
            self._writing -= 1

    def recipe(self) -> Recipe:
        """Return what was run, complete enough to run it again."""
        stack, state = self.planes.stack, self.state
        sums = [state.findings[i].pixels_sum for i in stack.indices() if i in state.findings]
        if not stack.axes:
            record = TargetRecord(stack.name, sums[0] if sums else "", tuple(stack.data.shape))
        else:
            record = TargetRecord.from_planes(stack.name, stack.axes, stack.data.shape, sums)
        settings = state.settings
        sections: dict[str, Mapping[str, Any]] = {
            "stack": {"axes": list(stack.axes), "planes": stack.plane_count, "output": "labels"},
            "tiling": settings.tiling.to_json(),
        }
        if settings.objects is not None:
            sections |= {
                "objects": settings.objects.to_json(),
                "links": settings.links.to_json(),
            }
        return Recipe.from_run(
            state.references,
            [record],
            state.made_by,
            intensity_range=state.intensity_range,
            settings={"threshold": settings.threshold},
            sections=sections,
        )

    def metadata(self) -> dict[str, Any]:
        """Return what the layer's metadata hold.

        The recipe, which planes a person edited, which axes of the layer planes have, and where
        there are several classes of objects the numbers of each.
        """
        said = {
            "recipe": self.recipe().to_json(),
            "classes": list(self.classes),
            "edited": [list(i) for i in sorted(self.state.edited)],
            ROWS_COLS: list(self.planes.rows_cols),
            "path": None if self.state.path is None else str(self.state.path),
        }
        if self.counts_objects and self.state.numbers:
            said["numbers"] = as_metadata(self.state.numbers.now())
        return said

    def tell_layer(self) -> None:
        """Write what is known into the layer's metadata, and the class of each number beside it."""
        layer = self.layer
        if layer is None:
            return
        layer.metadata[METADATA_KEY] = self.metadata()
        named = self._given_classes()
        if named and from_features(layer.features) != named:
            layer.features = named_anew(layer.features, named)

    def take_features(self) -> None:
        """Take classes that a person wrote into the layer's features, before others are given."""
        if self.counts_objects and self.state.numbers:
            self.state.numbers.take(self.named)

    def _given_classes(self) -> dict[int, str]:
        """Return class by number as runs gave them; empty where there is one class of objects."""
        return self.state.numbers.now() if self.counts_objects else self.named

    def _show(self, state: RunState, written: Any) -> None:
        """Let the layer show the data of a state, of which nothing is measured.

        Parameters
        ----------
        written : features that a person gave the objects of these data, if any
        """
        self.state = state
        layer = self.layer
        if layer is not None:
            with self.writing():
                layer.data = state.data
            layer.features = named_anew(written, self._given_classes())
            self.forget_undo()

    def _forget_measured(self) -> None:
        """Take from the layer's features what was measured of pixels that are there no longer."""
        layer = self.layer
        if layer is not None and holds_measured(layer.features):
            named = self.named or from_features(layer.features)
            layer.features = named_anew(layer.features, named)

    def _was_undone(self, index: Index) -> bool:
        """Tell whether Ctrl+Z took an answer back, of which napari tells nobody."""
        state = self.state
        may_be = index in state.undoable and index not in state.edited
        return may_be and state.findings[index].present and not self.plane(index).any()

    def _on_paint(self, event: Any) -> None:
        self._forget_measured()
        if self._writing:
            return
        touched: set[Index] = set()
        painted: set[int] = set()
        for atom in event.value:
            touched |= self.planes.indices_in(region_of(atom))
            painted |= painted_by(atom)
        if self.counts_objects:
            self._name_painted(painted - {0})
        self.mark_edited(touched)

    def _name_painted(self, painted: set[int]) -> None:
        """Say of what class new numbers are."""
        numbers = self.state.numbers
        new = painted - numbers.now().keys()
        if new and (numbers or len(self.classes) > 1):
            name = self.painted_class if self.painted_class in self.classes else ""
            numbers.take(dict.fromkeys(new, name))
            self.tell_layer()
        numbers.take({}, max(painted, default=0))


def painted_by(atom: Any) -> set[int]:
    """Return the numbers that one step of a stroke painted."""
    new = getattr(atom, "new_value", None)
    return {int(n) for n in np.unique(atom[2] if new is None else new)}


def region_of(atom: Any) -> Sequence[Any]:
    """Return the part of the layer that one step of a stroke changed, as it would be indexed."""
    region = getattr(atom, "slice_key", None)
    return tuple(atom[0] if region is None else region)
