"""What a run over a folder is asked for besides its references."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vrpsam_app.corrected_targets import NO_CORRECTIONS, SECTION, CorrectedTargets
from vrpsam_app.errors import ConfigError
from vrpsam_app.images import IntensityRange
from vrpsam_app.json_fields import json_whole
from vrpsam_app.objects.instances import ObjectOptions
from vrpsam_app.objects.linking import DEFAULT_LINKS, LinkOptions
from vrpsam_app.recipe import Recipe
from vrpsam_app.tiles.plan import DEFAULT_TILES, TileOptions
from vrpsam_app.video.options import MemoryOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What is asked for besides the references; a recipe holds all of it.

    Attributes
    ----------
    threshold : probability above which a pixel belongs to a mask
    intensity_range : of all targets; None takes one for all pictures, and each stack's own
    picture_range : of all pictures, as an earlier run found it; stacks still get their own
    tiling : how large planes are shown to the model
    objects : how what is found becomes single objects; None leaves it as masks
    links : ids of objects from plane to plane of a stack
    memory : stacks are gone through in order, with what was seen before; None takes each plane
        by itself
    corrections : marks on some of the pictures
    smallest_piece : connected pieces of fewer pixels are left out of the masks of pictures

    Raises
    ------
    ConfigError
        If stacks are to be gone through with a memory and cut into objects.
    """

    threshold: float = 0.5
    intensity_range: IntensityRange | None = None
    picture_range: IntensityRange | None = None
    tiling: TileOptions = DEFAULT_TILES
    objects: ObjectOptions | None = None
    links: LinkOptions = DEFAULT_LINKS
    memory: MemoryOptions | None = None
    corrections: CorrectedTargets = NO_CORRECTIONS
    smallest_piece: int = 0

    def __post_init__(self) -> None:
        if self.memory is not None and self.objects is not None:
            raise ConfigError(
                "With a memory each label is followed and numbered as it is: leave objects out, "
                "or cut the labels into objects afterwards with vrpsam objects."
            )

    @classmethod
    def of_recipe(cls, recipe: Recipe) -> RunSettings:
        """Return the settings of an earlier run.

        A range that was found is kept for pictures if it is theirs: of some of them alone another
        would be found. What is found in a stack is found in it again. One that may have been given
        or found, as recipes of earlier releases do not say, is kept.

        Raises
        ------
        ConfigError
            If the recipe holds values that make no sense.
        """
        sections = recipe.sections
        cut, linked, memory = (sections.get(name) for name in ("objects", "links", "memory"))
        of_pictures = not sections.get("stack", {}).get("axes")
        return cls(
            threshold=recipe.threshold,
            intensity_range=None if recipe.range_given is False else recipe.intensity_range,
            picture_range=recipe.intensity_range if of_pictures else None,
            tiling=TileOptions.from_json(sections.get("tiling", {})),
            objects=None if cut is None else ObjectOptions.from_json(cut, "objects"),
            links=DEFAULT_LINKS if linked is None else LinkOptions.from_json(linked, "links"),
            memory=None if memory is None else MemoryOptions.from_json(memory, "memory"),
            corrections=CorrectedTargets.from_json(sections.get(SECTION, {})),
            smallest_piece=json_whole(recipe.settings.get("smallest_piece", 0), "smallest_piece"),
        )

    def sections(self) -> dict[str, Mapping[str, Any]]:
        """Return the sections of a recipe."""
        said: dict[str, Mapping[str, Any]] = {"tiling": self.tiling.to_json()}
        if self.objects is not None:
            said |= {"objects": self.objects.to_json(), "links": self.links.to_json()}
        return said | ({SECTION: self.corrections.to_json()} if self.corrections else {})
