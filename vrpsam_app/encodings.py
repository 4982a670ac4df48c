"""What a model says of pictures and of references: computed once, kept, and found by content."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vrpsam_app.embeddings.keys import model_origin
from vrpsam_app.embeddings.store import EmbeddingStore
from vrpsam_app.errors import DeviceError
from vrpsam_app.images import IntensityRange, plane_key, to_rgb
from vrpsam_app.model_input import InputGeometry
from vrpsam_app.models.embeddings import TensorRecord
from vrpsam_app.models.vrp_sam import VRPSAM
from vrpsam_app.precision import Precision, computing_in
from vrpsam_app.references import Reference

_log = logging.getLogger(__name__)

MOST_TOGETHER = 8
"""Pictures that a CUDA device encodes in one batch: more of them gain nothing."""
PICTURE_BYTES = {"vit": 512 * 1024**2, "tiny_vit": 256 * 1024**2, "conv": 128 * 1024**2}
"""Memory that each needs beside the weights, by the image encoder, at its largest."""


class Encodings:
    """Encodes pictures and references, each once.

    Parameters
    ----------
    model : in evaluation mode, on the device
    device : torch.device
    sha256 : of the weight file; without one nothing is kept on disk, because nobody could tell
        which model it came from
    store : where they are kept
    precision : in which pictures are encoded
    compiled : whether PyTorch compiles the encoder first, for each size of picture: minutes on a
        processor, about one on a CUDA device, after which pictures are encoded faster

    Attributes
    ----------
    model, device, store, precision, compiled : as given
    origin : str
        What embeddings depend on besides the image: model, code, device, precision.
    """

    def __init__(
        self,
        model: VRPSAM[Any, Any],
        *,
        device: torch.device,
        sha256: str,
        store: EmbeddingStore,
        precision: Precision,
        compiled: bool = False,
    ) -> None:
        self.store = store
        self.precision = precision
        self.compiled = compiled
        self.origin = model_origin(model.config, device, sha256, precision)
        if compiled:
            self.origin += "/compiled"
        self.model = model
        self.device = device
        self._record = model.embedding_type if sha256 else None
        self._most_together = MOST_TOGETHER

    @property
    def batch_size(self) -> int:
        """Pictures to encode together: by half of the memory of a CUDA device, elsewhere one.

        It depends on the device and not on what else runs there, so that a run is repeated as it
        was; where there is less memory than that, batches are halved as they fail.
        """
        if self.device.type != "cuda":
            return 1  # a processor gains nothing by more
        memory = torch.cuda.get_device_properties(self.device).total_memory // 2
        fit = memory // PICTURE_BYTES[self.model.config.sam.image_encoder]
        return int(max(1, min(MOST_TOGETHER, fit)))

    def kept_in(self, store: EmbeddingStore) -> Self:
        """Return the same with another store."""
        other = copy.copy(self)
        other.store = store
        return other

    def picture(self, rgb: NDArray[np.uint8]) -> TensorRecord:
        """Encode an RGB picture: on the CPU, always read at the store's precision, fp16."""
        return self.store.get_or_compute(
            self._key(rgb), lambda: self._encode([rgb]), record=self._record
        )

    def pictures(self, rgbs: Sequence[NDArray[np.uint8]]) -> None:
        """Encode RGB pictures of one size in one batch, unless all of them are encoded already.

        An embedding may differ in its last digits from that of a picture encoded alone; among equal
        batch sizes it is the same whatever else is in the batch.

        Where a batch does not fit in the device's memory it is halved, and so are all further ones.

        Raises
        ------
        DeviceError
            If not even one picture fits.
        """
        keys = [self._key(rgb) for rgb in rgbs]
        if all(key in self.store for key in keys):
            return
        encoded = self._encode(rgbs)
        for i, key in enumerate(keys):
            one = partial(encoded.take, torch.tensor([i]))
            self.store.get_or_compute(key, one, record=self._record)

    def reference(
        self, reference: Reference, intensity_range: IntensityRange | None
    ) -> TensorRecord:
        """Encode an annotated reference, on the CPU."""

        def compute() -> TensorRecord:
            rgb = to_rgb(reference.image, intensity_range)
            geometry = InputGeometry.of(rgb.shape[:2], self.model.config)
            embedding = self._as_reference(rgb).to(self.device, torch.float32)
            with torch.inference_mode():
                encoding: TensorRecord = self.model.encode_reference(
                    embedding,
                    geometry.marks(reference).to(self.device),
                    torch.tensor([reference.kind == "box"], device=self.device),
                )
            return encoding.to("cpu")

        key = f"{self.origin}/reference={reference.content_key}/{intensity_range}"
        return self.store.get_or_compute(key, compute)

    def together(
        self, references: Sequence[Reference], intensity_range: IntensityRange | None
    ) -> TensorRecord | None:
        """Compute what the references of a class say together, on the CPU; None if nothing."""
        if not self.model.fits_together or not any(r.exhaustive for r in references):
            return None

        def compute() -> TensorRecord:
            encoded = [self.reference(r, intensity_range).to(self.device) for r in references]
            with torch.inference_mode():
                return self.model.fit_together(encoded).to("cpu")

        contents = " ".join(r.content_key for r in references)
        key = f"{self.origin}/together={contents}/{intensity_range}"
        return self.store.get_or_compute(key, compute)

    def _as_reference(self, rgb: NDArray[np.uint8]) -> TensorRecord:
        """Encode a picture as far as a reference needs it, or find more than that."""
        key, kind = self._key(rgb), self.model.reference_type
        if kind is None or key in self.store:
            return self.picture(rgb)

        def compute() -> TensorRecord:
            return self._encode([rgb], self.model.encode_reference_images)

        record = None if self._record is None else kind
        return self.store.get_or_compute(f"{key}/as reference", compute, record=record)

    def _key(self, rgb: NDArray[np.uint8]) -> str:
        # The pixels after the intensity range, so that the range is in the key as well.
        return f"{self.origin}/image={plane_key(rgb)}"

    def _encode(
        self,
        rgbs: Sequence[NDArray[np.uint8]],
        encode: Callable[[Tensor], TensorRecord] | None = None,
    ) -> TensorRecord:
        """Encode pictures of one size together, or in parts where the memory does not suffice."""
        encode = self._encoder() if encode is None else encode
        parts: list[TensorRecord] = []
        done = 0
        while done < len(rgbs):
            some = rgbs[done : done + self._most_together]
            encoded = self._encode_together(some, encode)
            if encoded is None:
                self._take_fewer(len(some))
                continue
            parts.append(encoded)
            done += len(some)
        return parts[0].joined_with(parts[1:]) if len(parts) > 1 else parts[0]

    def _encode_together(
        self, rgbs: Sequence[NDArray[np.uint8]], encode: Callable[[Tensor], TensorRecord]
    ) -> TensorRecord | None:
        """Encode pictures in one batch; return None if there is no memory for so many."""
        geometry = InputGeometry.of(rgbs[0].shape[:2], self.model.config)
        try:
            with torch.inference_mode(), computing_in(self.precision, self.device):
                images = torch.cat([geometry.image(rgb) for rgb in rgbs]).to(self.device)
                return encode(images).stored()
        except torch.OutOfMemoryError as error:
            if len(rgbs) > 1:
                return None
            h, w = geometry.input_hw
            raise DeviceError(
                f"The memory of {self.device} does not suffice to encode a picture of {h} x {w} "
                "pixels. Close what else uses it, take precision bf16 or a smaller model, or the "
                "device cpu."
            ) from error
        except RuntimeError as error:
            if not self.compiled:
                raise
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise DeviceError(
                f"The encoder cannot be compiled on this machine ({reason}). Install a C++ "
                "compiler, or leave compiling out."
            ) from error

    def _encoder(self) -> Callable[[Tensor], TensorRecord]:
        """Return what encodes targets."""
        if not self.compiled:
            return self.model.encode_images
        # Kept by PyTorch with the model, so that it is compiled once, and never pickled.
        return torch.compile(self.model.encode_images)

    def _take_fewer(self, tried: int) -> None:
        """Halve the batch for good: what did not fit once will not fit the next time either."""
        self._most_together = tried // 2
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        _log.warning(
            "The memory of %s does not suffice for %d pictures together: from now on %d.",
            self.device,
            tried,
            self._most_together,
        )
