"""One line of a viewer's list of references: what it shows, its name, where it comes from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from vrpsam_app.references import Reference

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vrpsam_app.stacks.stack import PixelSize


@dataclass(frozen=True, eq=False)
class ReferenceItem:
    """A reference with a name; a change gives a new item with the same `key`.

    Attributes
    ----------
    reference : what the model is shown
    name : unique in its list
    where : from which slice, layer, file or library, in a few words
    follows : key of the marks that it follows, None for one that stays as it is
        An item that follows marks is replaced whenever a person changes them.
    active : whether it is asked by
    pixel_size : of its image, None if unknown
    image : `LayerPlanes.key` of what it was taken from; empty for one from elsewhere
    key : the same through all changes of an item
    """

    reference: Reference
    name: str
    where: str = ""
    follows: str | None = None
    active: bool = True
    pixel_size: PixelSize | None = None
    image: str = ""
    key: object = field(default_factory=object, repr=False)

    @cached_property
    def thumbnail(self) -> NDArray[np.uint8]:
        """The marked part with its marks, at most 192 x 192, RGB."""
        from vrpsam_app.library.entry import thumbnail_of

        return thumbnail_of(self.reference)

    @property
    def is_not_this(self) -> bool:
        """Whether it shows what is not meant."""
        return self.reference.is_not_this

    def changed(self, **values: Any) -> ReferenceItem:
        """Return the item with other values."""
        return replace(self, **values)


def free_name(wanted: str, taken: set[str]) -> str:
    """Return a name that is not taken, whatever its case: ``nucleus``, ``nucleus 2`` ..."""
    lower = {name.casefold() for name in taken}
    name, number = wanted, 1
    while name.casefold() in lower:
        number += 1
        name = f"{wanted} {number}"
    return name


def name_of(reference: Reference) -> str:
    """Return a name made of the label."""
    return f"not {reference.label}" if reference.is_not_this else reference.label
