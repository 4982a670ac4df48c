"""What one viewer has: its references, its model, its results. No Qt, and nothing shared.

Every widget of the plugin asks :meth:`Session.of` and listens to the signals; none of them holds
state that another needs. All methods but :meth:`Session.segmenter` belong on the GUI thread.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_plugin.image_choice import ImageChoice
from napari_plugin.layer_planes import follow_data
from napari_plugin.model_choice import ModelChoice, ModelShelf
from napari_plugin.preferences import Preferences
from napari_plugin.reference_items import ReferenceItem, free_name, name_of
from napari_plugin.result_record import ResultRecord
from vrpsam_app.errors import ConfigError
from vrpsam_app.library.reference_library import ReferenceLibrary
from vrpsam_app.references import Reference

if TYPE_CHECKING:
    from hub_weights import DownloadCallback
    from vrpsam_app.embeddings.store import EmbeddingStore
    from vrpsam_app.stacks.stack import PixelSize

_SESSIONS: weakref.WeakKeyDictionary[Any, Session] = weakref.WeakKeyDictionary()


class Session:
    """The plugin's state in one viewer; ends with it.

    Attributes
    ----------
    references_changed : emitted when the list of references changes
    choice_changed : emitted with the new :class:`ModelChoice`
    results_changed : emitted when a result layer comes or goes
    shelf : the model, once it was loaded
    preferences : as they were when the viewer was first used

    Examples
    --------
    >>> session = Session.of(viewer)  # doctest: +SKIP
    >>> session.references_changed.connect(draw_thumbnails)  # doctest: +SKIP
    """

    references_changed = Signal()
    choice_changed = Signal(object)
    results_changed = Signal()

    def __init__(self) -> None:
        self.preferences = Preferences.read()
        self.shelf = ModelShelf(self._open_store)
        self._choice = ModelChoice(model=self.preferences.model, device=self.preferences.device)
        self._items: tuple[ReferenceItem, ...] = ()
        self._of_images: weakref.WeakKeyDictionary[Any, ImageChoice] = weakref.WeakKeyDictionary()
        self._records: weakref.WeakKeyDictionary[Any, ResultRecord] = weakref.WeakKeyDictionary()

    @classmethod
    def of(cls, viewer: Any) -> Session:
        """Return the session of a viewer, the same for every widget in it.

        Parameters
        ----------
        viewer : napari.Viewer, ViewerModel, or the proxy of one that napari gives to widgets
        """
        real = unwrapped(viewer)
        if real not in _SESSIONS:
            _SESSIONS[real] = cls()
            for layer in real.layers:
                follow_data(layer)
            real.layers.events.inserted.connect(_follow_inserted)
        return _SESSIONS[real]

    @property
    def references(self) -> tuple[ReferenceItem, ...]:
        """All references of this viewer, in the order in which they came."""
        return self._items

    def active_references(self) -> tuple[Reference, ...]:
        """Return what the model is asked by."""
        return tuple(item.reference for item in self._items if item.active)

    def reference_pixel_size(self) -> PixelSize | None:
        """Return the pixel size of all active references; None if it is unknown or not one."""
        sizes = {item.pixel_size for item in self._items if item.active}
        return sizes.pop() if len(sizes) == 1 else None

    def add_reference(
        self,
        reference: Reference,
        *,
        name: str | None = None,
        where: str = "",
        pixel_size: PixelSize | None = None,
        image: str = "",
    ) -> ReferenceItem:
        """Add a reference that stays as it is.

        Parameters
        ----------
        name : None makes one of the label; a number is put behind one that is taken
        where : from which slice, layer or file, in a few words
        pixel_size : of the reference's image, if it is known
        image : `LayerPlanes.key` of the layer it was taken from, empty for one from elsewhere
        """
        wanted = self._free_name(name or name_of(reference))
        item = ReferenceItem(reference, wanted, where, pixel_size=pixel_size, image=image)
        self._set_items((*self._items, item))
        return item

    def remove_reference(self, item: ReferenceItem) -> None:
        """Remove a reference; does nothing if it is gone already."""
        self._set_items(i for i in self._items if i.key is not item.key)

    def change_reference(self, item: ReferenceItem, **values: Any) -> ReferenceItem | None:
        """Give an item other values, such as ``active=False`` or ``name="round ones"``.

        Returns
        -------
        item : as it is now; None if it is gone

        Raises
        ------
        ConfigError
            If the new name is taken.
        """
        name = values.get("name")
        others = {i.name.casefold() for i in self._items if i.key is not item.key}
        if name is not None and name.casefold() in others:
            raise ConfigError(f"There is a reference {name!r} already: choose another name.")
        now = next((i for i in self._items if i.key is item.key), None)
        if now is None:
            return None
        new = now.changed(**values)
        self._set_items(new if i.key is item.key else i for i in self._items)
        return new

    def say_not_this(self, item: ReferenceItem) -> ReferenceItem | None:
        """Let a reference say "not this" of what it marks; its marks are followed no longer."""
        reference = item.reference.as_not_this()
        return self.change_reference(
            item,
            reference=reference,
            follows=None,
            name=self._free_name(name_of(reference)),
        )

    def keep_reference(self, item: ReferenceItem) -> ReferenceItem | None:
        """Let an item that follows marks stay as it is from now on."""
        return self.change_reference(item, follows=None)

    def follow_marks(
        self,
        source: str,
        found: Sequence[tuple[str, Reference, str]],
        pixel_size: PixelSize | None = None,
        image: str = "",
    ) -> None:
        """Bring the items that follow marks up to date; others stay.

        Parameters
        ----------
        source : of the marks, such as the name of their layer
        found : (key, reference, where) of each slice and class that is marked now
            Keys begin with the source and a slash.
        pixel_size : of the images that are marked, if it is known
        image : `LayerPlanes.key` of the layer that is marked
        """
        new = {key: (reference, where) for key, reference, where in found}
        items: list[ReferenceItem] = []
        for item in self._items:
            if item.follows is None or not item.follows.startswith(f"{source}/"):
                items.append(item)
            elif item.follows in new:
                reference, where = new.pop(item.follows)
                same = (
                    reference.content_key == item.reference.content_key
                    and reference.label == item.reference.label
                )
                items.append(item if same else item.changed(reference=reference, where=where))
        kept = {(i.reference.content_key, i.reference.label) for i in items if i.follows is None}
        for key, (reference, where) in new.items():
            if (reference.content_key, reference.label) in kept:
                continue  # a person keeps it as it is
            taken = {i.name for i in items}
            name = free_name(name_of(reference), taken)
            items.append(
                ReferenceItem(
                    reference, name, where, follows=key, pixel_size=pixel_size, image=image
                )
            )
        if [(i.key, i.reference) for i in items] != [(i.key, i.reference) for i in self._items]:
            self._set_items(items)

    def load_library(self, path: str | Path) -> tuple[ReferenceItem, ...]:
        """Add all references of a library file, and return their items.

        Raises
        ------
        ConfigError
            If the file is no library, or one of its references is damaged.
        """
        file = Path(path)
        added: list[ReferenceItem] = []
        for entry in ReferenceLibrary.load(file).entries:
            name = self._free_name(entry.name, added)
            added.append(ReferenceItem(entry.reference, name, f"library {file.name}"))
        self._set_items((*self._items, *added))
        return tuple(added)

    def save_library(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write all references to a library file, under their names.

        Raises
        ------
        ConfigError
            If a name cannot be one in a library.
        OutputError
            If the file exists and may not be replaced, or cannot be written.
        """
        library = ReferenceLibrary()
        for item in self._items:
            library = library.add(item.name, item.reference, item.where)
        return library.save(Path(path), overwrite=overwrite)

    @property
    def choice(self) -> ModelChoice:
        """Which model answers; choosing loads nothing."""
        return self._choice

    def choose(self, **values: str) -> ModelChoice:
        """Choose another model, method, device or SAM, such as ``choose(device="cpu")``."""
        choice = replace(self._choice, **values)
        if choice != self._choice:
            self._choice = choice
            self.choice_changed.emit(choice)
        return choice

    def segmenter(self, progress: DownloadCallback | None = None) -> Any:
        """Return the segmenter of the choice, loading it first: call it in a worker.

        Raises
        ------
        WeightsError, ConfigError, DeviceError
            As :meth:`ModelShelf.segmenter` does.
        """
        return self.shelf.segmenter(self._choice, progress)

    def image_choice(self, layer: Any) -> ImageChoice:
        """Return what was chosen of an image layer; all that it shows where nothing was."""
        return self._of_images.get(unwrapped(layer), ImageChoice())

    def choose_of_image(self, layer: Any, choice: ImageChoice) -> None:
        """Remember what is chosen of an image layer, so that all panels ask about the same."""
        self._of_images[unwrapped(layer)] = choice

    @property
    def results(self) -> tuple[ResultRecord, ...]:
        """The records of all result layers that are still there."""
        return tuple(self._records.values())

    def add_result(self, record: ResultRecord) -> None:
        """Remember what a layer is."""
        layer = record.layer
        if layer is not None:
            self._records[unwrapped(layer)] = record
            self.results_changed.emit()

    def record_of(self, layer: Any) -> ResultRecord | None:
        """Return what is known about a layer, None if it is no result of this viewer."""
        return None if layer is None else self._records.get(unwrapped(layer))

    def forget_result(self, layer: Any) -> None:
        """Forget a layer that was removed."""
        if self._records.pop(unwrapped(layer), None) is not None:
            self.results_changed.emit()

    def _free_name(self, wanted: str, more: Iterable[ReferenceItem] = ()) -> str:
        return free_name(wanted, {i.name for i in (*self._items, *more)})

    def _set_items(self, items: Iterable[ReferenceItem]) -> None:
        self._items = tuple(items)
        self.references_changed.emit()

    def _open_store(self) -> EmbeddingStore:
        """Open the folder of embeddings; one that cannot be made costs time, not results."""
        from vrpsam_app.embeddings.store import DiskEmbeddingStore, EmbeddingStore
        from vrpsam_app.errors import OutputError

        size = int(self.preferences.cache_gb * 10**9)
        if not size:
            return EmbeddingStore()
        try:
            return DiskEmbeddingStore(max_disk_bytes=size)
        except OutputError:
            return EmbeddingStore()


def _follow_inserted(event: Any) -> None:
    follow_data(event.value)


def unwrapped(thing: Any) -> Any:
    """Return what a proxy of napari stands for, by which it is found again and compared."""
    return getattr(thing, "__wrapped__", thing)
