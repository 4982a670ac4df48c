"""What frozen parts say of a picture, computed once and found again by content."""

from __future__ import annotations

from typing import Literal, TypeVar

import torch
from torch import Tensor

from vrpsam_app.embeddings.store import EmbeddingStore
from vrpsam_app.environment import ENCODING_CODE, code_version, machine_name
from vrpsam_app.models.embeddings import TensorRecord
from vrpsam_app.models.paper_vrp_sam import PaperEmbedding, PaperVRPSAM, SAMMap, SemanticMaps
from vrpsam_app.training.episode_batch import EpisodeBatch

StoredParts = Literal["sam", "all"]
"""``sam``: 2 MiB a picture at 1024 pixels; ``all``: the backbone's maps too, some 40 MiB."""

R = TypeVar("R", bound=TensorRecord)


class FrozenFeatures:
    """Encodes the images of batches for a model that stands on frozen parts.

    Pictures that come again as they are have a key and are encoded one by one: what is kept then
    does not depend on which pictures came together, and a resumed run reads what the first one
    read. Values are always read at the store's precision, fp16. Augmented pictures have no key and
    pass the store by.

    Parameters
    ----------
    model : PaperVRPSAM
    store : EmbeddingStore, optional
        None computes everything anew.
    parts : "sam" or "all"
        What is kept.
    precision : {"fp32", "bf16"}
        Of the computation.
    """

    def __init__(
        self,
        model: PaperVRPSAM,
        store: EmbeddingStore | None,
        *,
        parts: StoredParts = "sam",
        precision: str = "fp32",
    ) -> None:
        self.model = model
        self.store = store
        self.parts = parts
        self.precision = precision

    def __call__(self, batch: EpisodeBatch) -> PaperEmbedding:
        """Encode the images of a batch; gradients reach what the learned weights make of them."""
        sam = self._frozen(SAMMap, batch, stored=True)
        maps = self._frozen(SemanticMaps, batch, stored=self.parts == "all")
        return self.model.join(sam, maps)

    def _frozen(self, kind: type[R], batch: EpisodeBatch, *, stored: bool) -> R:
        if self.store is None or batch.keys is None or not stored:
            return self._encode(kind, batch.images).to(batch.images.device, torch.float32)
        records = [
            self._found(self.store, kind, image, key).to(image.device, torch.float32)
            for image, key in zip(batch.images, batch.keys, strict=True)
        ]
        return joined(records)

    def _found(self, store: EmbeddingStore, kind: type[R], image: Tensor, key: str) -> R:
        part = "sam" if kind is SAMMap else "backbone"
        file = self.model.config.foundation.get(part)
        weights = f"{part}={file.sha256}" if file else f"{part} without a file"
        return store.get_or_compute(
            f"{self._origin(image.device)}/{weights}/image={key}",
            lambda: self._encode(kind, image[None]).stored(),
            # Without a file nobody could tell later which weights it came from.
            record=kind if file else None,
        )

    def _encode(self, kind: type[R], images: Tensor) -> R:
        """Compute one kind of maps of uint8 images (B, 3, S, S)."""
        encode = self.model.encode_sam if kind is SAMMap else self.model.encode_semantic
        # Not in inference mode, which may surround a validation: nothing can be learned from it.
        with (
            torch.inference_mode(False),
            torch.no_grad(),
            torch.autocast(images.device.type, torch.bfloat16, enabled=self.precision == "bf16"),
        ):
            record: R = encode(images.float() / 255)  # type: ignore[assignment]
        return record

    def _origin(self, device: torch.device) -> str:
        """Return what a stored map depends on besides weights and pixels."""
        config = self.model.config
        where = f"{device.type} {machine_name()}"
        if device.type == "cuda":
            where = f"cuda {torch.cuda.get_device_name(device)}"
        return (
            f"frozen/encoder={config.vrp_encoder.semantic_encoder}"
            f"/side={config.sam.image_size}/align={config.align_corners}"
            f"/code={code_version(ENCODING_CODE)}/torch={torch.__version__}/device={where}"
            f"/precision={self.precision}"
        )


def joined(records: list[R]) -> R:
    """Join records of one image each to one of all of them."""
    fields = records[0].__dataclass_fields__
    parts = {name: torch.cat([getattr(r, name) for r in records]) for name in fields}
    return type(records[0])(**parts)
