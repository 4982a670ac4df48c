"""How a result is made, beside the references: threshold, objects, ids, tiles, model."""

from __future__ import annotations

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
