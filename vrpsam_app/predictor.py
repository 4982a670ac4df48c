"""References and a target in, a prediction out: what every surface calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vrpsam_app.config import ModelConfig
from vrpsam_app.corrections import Corrections
from vrpsam_app.devices import choose_device
from vrpsam_app.embedding_store import EmbeddingStore
from vrpsam_app.images import IntensityRange, check_plane, intensity_range_of, plane_key, to_rgb
from vrpsam_app.model_input import InputGeometry
from vrpsam_app.models.embeddings import DecoderOutput, PromptTensors, TensorRecord
from vrpsam_app.models.load import load_model
from vrpsam_app.models.vrp_sam import VRPSAM
from vrpsam_app.reference_segmenter import (
    References,
    ReferenceSegmenter,
    as_sequence,
    only_label,
    range_of,
)
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction


class VRPSAMPredictor(ReferenceSegmenter):
    """Segment what the references show.

    Everything that depends on a reference alone and every target's embedding is computed once and
    found again by content, so there is nothing to set before a call and one predictor serves many
    threads.

    Parameters
    ----------
    model : VRPSAM
        In evaluation mode.
    device : torch.device
    sha256 : str
        Of the weight file; part of every key and of every recipe.
    store : EmbeddingStore, optional
        Shared with other predictors if given.

    Examples
    --------
    >>> from skimage import data
    >>> predictor = VRPSAMPredictor.from_pretrained()
    >>> coin = Reference.from_annotations(data.coins(), [Box(top=14, left=33, bottom=70, right=90)])
    >>> predictor.predict(data.coins(), coin).mask.shape
    (303, 384)
    """

    def __init__(
        self,
        model: VRPSAM[Any, Any],
        *,
        device: torch.device,
        sha256: str = "",
        store: EmbeddingStore | None = None,
    ) -> None:
        self._model = model.to(device)
        # Convolutions on a CPU are many times faster with the channels last.
        self._model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device = device
        self._sha256 = sha256
        self._store = EmbeddingStore() if store is None else store

    @classmethod
    def from_pretrained(
        cls, name_or_folder: str | Path = "embedded", *, device: str = "auto"
    ) -> VRPSAMPredictor:
        """Load a model by name or folder.

        Raises
        ------
        WeightsError
            If there is no such model, or its files are damaged or do not fit together.
        DeviceError
            If the device is not there.
        """
        chosen = choose_device(device)
        model, folder = load_model(name_or_folder)
        return cls(model, device=chosen, sha256=folder.sha256)

    @property
    def config(self) -> ModelConfig:
        """What the model is and was trained with."""
        return self._model.config

    @property
    def device(self) -> str:
        """Where it runs."""
        return str(self._device)

    def describe(self) -> dict[str, object]:
        """Return what a recipe must pin: model, weights, device, precision, versions."""
        from vrpsam_app import __version__

        return {
            "method": "vrp_sam",
            "model": self.config.name,
            "sha256": self._sha256,
            "device": self.device,
            "precision": "fp32",
            "versions": {
                "vrpsam_app": __version__,
                "torch": torch.__version__,
                "numpy": np.__version__,
            },
        }

    def prepare(
        self, image: NDArray[np.generic], *, intensity_range: IntensityRange | None = None
    ) -> None:
        """Encode an image now, so that a later call with it is quick."""
        rgb = to_rgb(check_plane(image), intensity_range or intensity_range_of([image]))
        self._encode_image(rgb)

    def predict_many(
        self,
        targets: Iterable[NDArray[np.generic]],
        references: References,
        *,
        intensity_range: IntensityRange | None = None,
        threshold: float = 0.5,
    ) -> Iterator[Prediction]:
        """Find what the references show in several targets, under one intensity range.

        Yields one :class:`Prediction` per target as it is made; see :meth:`predict`.
        """
        references = as_sequence(references)
        targets = [check_plane(t, name=f"target {i}") for i, t in enumerate(targets)]
        images = [*targets, *(r.image for r in references)]
        intensity_range = intensity_range or intensity_range_of(images)
        for target in targets:
            yield self.predict(
                target, references, intensity_range=intensity_range, threshold=threshold
            )

    def predict_from_prompts(
        self,
        target: NDArray[np.generic],
        references: References,
        prompts: Corrections,
        *,
        intensity_range: IntensityRange | None = None,
        threshold: float = 0.5,
    ) -> Prediction:
        """Ask SAM's decoder by its own prompts in the place of the visual prompts.

        The references still make the pseudo-mask. Unlike corrections, `prompts` on the target are
        not taken for marks of a person to learn from.

        Parameters
        ----------
        target : shape (H, W), (H, W, 3) or (H, W, 4)
        references : Reference or sequence of Reference
            All of one label.
        prompts : Corrections
            Points, scribbles and at most one positive box on the target, mask logits.
        intensity_range, threshold :
            As for :meth:`predict`, with its errors.
        """
        references = as_sequence(references)
        target = check_plane(target, name="target")
        return self._decode(
            target,
            references,
            only_label(references),
            prompts,
            intensity_range or range_of(target, references),
            threshold,
            visual_prompts=False,
        )

    def _predict_one(
        self,
        target: NDArray[np.generic],
        references: Sequence[Reference],
        label: str,
        corrections: Corrections | None,
        intensity_range: IntensityRange | None,
        threshold: float,
    ) -> Prediction:
        marked, prompts = list(references), None
        if corrections is not None and not corrections.is_empty:
            # Marks on the target are a reference of its own: its pixels say most about it.
            marked += corrections.as_references(target, label)
            prompts = corrections
        return self._decode(target, marked, label, prompts, intensity_range, threshold)

    def _decode(
        self,
        target: NDArray[np.generic],
        references: Sequence[Reference],
        label: str,
        prompts: Corrections | None,
        intensity_range: IntensityRange | None,
        threshold: float,
        *,
        visual_prompts: bool = True,
    ) -> Prediction:
        rgb = to_rgb(target, intensity_range)
        geometry = InputGeometry.of(rgb.shape[:2], self.config)
        with torch.inference_mode():
            embedding = self._encode_image(rgb)
            encoded = [self._encode_reference(r, intensity_range) for r in references]
            output: DecoderOutput = self._model.decode(
                embedding.to(self._device, torch.float32),
                [e.to(self._device) for e in encoded],
                None if prompts is None else self._prompts(prompts, geometry),
                visual_prompts=visual_prompts,
            )
            logits = geometry.to_original(
                output.mask_logits, align_corners=self.config.align_corners
            )
        probability = torch.from_numpy(logits).sigmoid().numpy()
        presence = float(output.presence[0])
        present = presence >= self.config.presence_threshold
        return Prediction(
            mask=(probability > threshold) & present,
            probability=probability,
            score=float(output.score[0]),
            presence=presence,
            present=present,
            pseudo_mask=output.pseudo_mask[0, 0].float().cpu().numpy(),
            label=label,
            made_by={**self.describe(), "input_hw": geometry.input_hw, "range": intensity_range},
            threshold=threshold,
        )

    def _encode_image(self, rgb: NDArray[np.uint8]) -> TensorRecord:
        """Encode an RGB image, or find its embedding; always read at the store's fp16."""
        key = f"{self._sha256}/image/{plane_key(rgb)}"

        def compute() -> TensorRecord:
            geometry = InputGeometry.of(rgb.shape[:2], self.config)
            with torch.inference_mode():
                images = geometry.image(rgb).to(self._device)
                return self._model.encode_images(images).stored()

        return self._store.get_or_compute(key, compute)

    def _encode_reference(
        self, reference: Reference, intensity_range: IntensityRange | None
    ) -> TensorRecord:
        key = f"{self._sha256}/reference/{reference.content_key}/{intensity_range}"

        def compute() -> TensorRecord:
            rgb = to_rgb(reference.image, intensity_range)
            geometry = InputGeometry.of(rgb.shape[:2], self.config)
            embedding = self._encode_image(rgb).to(self._device, torch.float32)
            with torch.inference_mode():
                return self._model.encode_reference(
                    embedding,
                    geometry.marks(reference).to(self._device),
                    torch.tensor([reference.kind == "box"], device=self._device),
                ).to("cpu")

        return self._store.get_or_compute(key, compute)

    def _prompts(self, corrections: Corrections, geometry: InputGeometry) -> PromptTensors:
        points_xy, labels = corrections.clicks_xy()
        box_xyxy = corrections.box_xyxy()
        box = (
            geometry.points(box_xyxy.reshape(2, 2)).reshape(1, 4) if box_xyxy is not None else None
        )
        logits = corrections.mask_logits
        prompts = PromptTensors(
            points_xy=geometry.points(points_xy) if len(points_xy) else None,
            point_labels=torch.from_numpy(labels)[None] if len(points_xy) else None,
            boxes_xyxy=box,
            mask_logits=None
            if logits is None
            else geometry.mask_logits(logits, self._model.output_hw(geometry.input_hw)),
        )
        return prompts.to(self._device)
