"""How a result is made, beside the references: threshold, objects, ids, tiles, model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from napari_plugin.model_choice import ModelChoice
from vrpsam_app.objects.instances import ObjectOptions
from vrpsam_app.objects.linking import DEFAULT_LINKS, LinkOptions
from vrpsam_app.tiles.plan import TileOptions


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What a person set in the widget.

    Attributes
    ----------
    choice : who answers
    threshold : probability above which a pixel belongs to the object
    objects : how masks become objects; None keeps classes (0, and 1 for the first)
    links : what ids mean from plane to plane
    tiling : whether planes are shown whole or in tiles
    """

    choice: ModelChoice = field(default_factory=ModelChoice)
    threshold: float = 0.5
    objects: ObjectOptions | None = None
    links: LinkOptions = DEFAULT_LINKS
    tiling: TileOptions = field(default_factory=TileOptions)

    def filters_whole(self, axes: Sequence[str]) -> bool:
        """Tell whether objects stay or go whole, once they are followed along the axes.

        Of stored answers no scores are known: by those each plane is filtered by itself.
        """
        objects = self.objects
        return objects is not None and not objects.min_score and self.links.goes_through(axes)
