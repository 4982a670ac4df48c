"""Where methods get their weights from: each is loaded once, by the first method that asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from vrpsam_app.errors import ConfigError

if TYPE_CHECKING:
    from vrpsam_app.embeddings.store import EmbeddingStore
    from vrpsam_app.methods.learned_prompts import LearnedPrompts
    from vrpsam_app.methods.matching_prompters import Prompter
    from vrpsam_app.methods.sam_pictures import SAMPictures
    from vrpsam_app.methods.semantic_maps import SemanticMaps
    from vrpsam_app.predictor import VRPSAMPredictor


@dataclass(frozen=True, slots=True)
class MethodSources:
    """A model, and optionally a SAM and a backbone beside it.

    Attributes
    ----------
    predictor : loads the model; called only by what needs it
    own_sam : loads a SAM of one's own, None if there is none
    own_maps : loads a backbone of one's own, None if there is none
    own_prompts : loads prompts that were learned beforehand, None if there are none
    """

    predictor: Callable[[], VRPSAMPredictor]
    own_sam: Callable[[], SAMPictures] | None = None
    own_maps: Callable[[], SemanticMaps] | None = None
    own_prompts: Callable[[], LearnedPrompts] | None = None

    @classmethod
    def of(
        cls,
        predictor: Callable[[], VRPSAMPredictor],
        *,
        sam: str | Path | None = None,
        features: str | Path | None = None,
        prompts: str | Path | None = None,
        device: str = "auto",
        store: EmbeddingStore | None = None,
    ) -> MethodSources:
        """Name the files that weights come from; nothing is read yet.

        Parameters
        ----------
        predictor : loads the model
        sam : file of SAM's weights, or a folder with one
        features : file of a backbone's weights, or a folder with one
        prompts : folder that ``vrpsam learn-prompts`` wrote
        device : where they run
        store : where embeddings are kept
        """

        def load_sam() -> SAMPictures:
            from vrpsam_app.methods.sam_pictures import SAMPictures

            return SAMPictures.from_file(sam or "", device=device, store=store)

        def load_maps() -> SemanticMaps:
            from vrpsam_app.methods.semantic_maps import BackboneMaps

            return BackboneMaps.from_file(features or "", device=device, store=store)

        def load_prompts() -> LearnedPrompts:
            from vrpsam_app.methods.learned_prompts import LearnedPrompts

            return LearnedPrompts.load(prompts or "")

        return cls(
            cache(predictor),
            cache(load_sam) if sam else None,
            cache(load_maps) if features else None,
            cache(load_prompts) if prompts else None,
        )

    def sam(self) -> SAMPictures:
        """Return a SAM that answers prompts: one's own, else the model's.

        Raises
        ------
        ConfigError
            If none was given and the model's does not answer prompts by itself.
        """
        if self.own_sam is not None:
            return self.own_sam()
        import torch

        from vrpsam_app.methods.sam_pictures import SAMPictures

        predictor = self.predictor()
        sam = predictor.sam
        if sam is None:
            raise ConfigError(
                f"The model {predictor.config.name!r} has no SAM that answers prompts by itself, "
                "and this method needs one. Give SAM's weights with --sam FILE, such as "
                "sam_vit_b_01ec64.pth."
            )
        said = predictor.describe()
        return SAMPictures(
            sam,
            device=torch.device(predictor.device),
            sha256=str(said["sha256"]),
            store=predictor.store,
        )

    def maps(self) -> SemanticMaps:
        """Return semantic features: of one's own backbone, else of one's own SAM or the model."""
        if self.own_maps is not None:
            return self.own_maps()
        from vrpsam_app.methods.semantic_maps import ModelMaps, SAMMaps

        return ModelMaps(self.predictor()) if self.own_sam is None else SAMMaps(self.own_sam())

    def prompter(self) -> Prompter:
        """Return what answers prompts on the target: a SAM, else the model as a whole."""
        from vrpsam_app.methods.matching_prompters import ModelPrompter, SAMPrompter

        return SAMPrompter(self.sam()) if self.has_sam else ModelPrompter(self.predictor())

    @property
    def has_sam(self) -> bool:
        """Whether there is a SAM that answers prompts by itself."""
        return self.own_sam is not None or self.predictor().sam is not None

    def learned_prompts(self) -> LearnedPrompts | None:
        """Return prompts that were learned beforehand, None if none were given."""
        return None if self.own_prompts is None else self.own_prompts()
