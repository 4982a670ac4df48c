"""References and a target in, a prediction out: what every surface calls."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hub_weights import DownloadCallback
from vrpsam_app.config import ModelConfig
from vrpsam_app.corrections import Corrections
from vrpsam_app.devices import choose_device
from vrpsam_app.embeddings.keys import model_origin
from vrpsam_app.embeddings.passing_store import PassingStore
from vrpsam_app.embeddings.store import EmbeddingStore
from vrpsam_app.images import IntensityRange, check_plane, intensity_range_of, plane_key, to_rgb
from vrpsam_app.model_input import InputGeometry
from vrpsam_app.models.embeddings import DecoderOutput, PromptTensors, TensorRecord
from vrpsam_app.models.frozen_sam import FrozenSAM
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
        Of the weight file; part of every key and of every recipe. Without one nothing is kept on
        disk, because nobody could tell which model it came from.
    store : EmbeddingStore, optional
        Shared with other predictors if given; a `DiskEmbeddingStore` outlives the process.

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
        self._origin = model_origin(model.config, device, sha256)

    @classmethod
    def from_pretrained(
        cls,
        name_or_folder: str | Path = "embedded",
        *,
        device: str = "auto",
        store: EmbeddingStore | None = None,
        revision: str | None = None,
        token: str | bool | None = None,
        local_files_only: bool = False,
        progress: DownloadCallback | None = None,
    ) -> VRPSAMPredictor:
        """Load a model by name, folder, or its repository on the Hub.

        Parameters
        ----------
        name_or_folder : str or Path
            ``"embedded"``, the name of a model made on this computer, a folder, or
            ``organisation/name`` on the Hub, also with ``@revision`` behind it.
        device : str
            auto, cpu, cuda or mps.
        store : EmbeddingStore, optional
            Shared with other predictors.
        revision : str, optional
            Commit, tag or branch of the repository.
        token : str or bool, optional
            Of an account on the Hub; None takes ``HF_TOKEN`` or what ``hf auth login`` keeps.
        local_files_only : bool
            Whether to stay off the network, as ``HF_HUB_OFFLINE=1`` does for all.
        progress : callable, optional
            Told how far a download is.

        Raises
        ------
        WeightsError
            If there is no such model, or it cannot be downloaded, or its files are damaged or do
            not fit together.
        DeviceError
            If the device is not there.
        """
        chosen = choose_device(device)
        model, folder = load_model(
            name_or_folder,
            revision=revision,
            token=token,
            local_files_only=local_files_only,
            progress=progress,
        )
        return cls(model, device=chosen, sha256=folder.sha256, store=store)

    @property
    def config(self) -> ModelConfig:
        """What the model is and was trained with."""
        return self._model.config

    @property
    def device(self) -> str:
        """Where it runs."""
        return str(self._device)

    @property
    def store(self) -> EmbeddingStore:
        """Where what was computed is kept, for a method that works on the same features."""
        return self._store

    @property
    def origin(self) -> str:
        """What embeddings depend on besides the image: model, code, device."""
        return self._origin

    @property
    def model(self) -> VRPSAM[Any, Any]:
        """The torch module, for a method that asks it in another way."""
        return self._model

    @property
    def sam(self) -> FrozenSAM | None:
        """The model's SAM if it is segment-anything's own, which answers prompts by itself."""
        whole: Any = self._model
        return None if self.config.sam.image_encoder == "conv" else whole.sam

    @property
    def input_side(self) -> int:
        """Longer side, in pixels, of a picture that the model sees without reducing it."""
        squash = self.config.resize == "squash"
        return self.config.vrp_encoder.image_size if squash else self.config.sam.image_size

    def passing(self) -> VRPSAMPredictor:
        """Return a predictor on the same model for planes that are each looked at once.

        It finds what this one has kept, but keeps few embeddings itself, so that a long stack does
        not fill the memory.
        """
        other = copy.copy(self)
        other._store = PassingStore(self._store)
        return other

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
        self.embed(image, intensity_range=intensity_range)

    def embed(
        self, image: NDArray[np.generic], *, intensity_range: IntensityRange | None = None
    ) -> TensorRecord:
        """Encode an image, or find its embedding: on the CPU, at the store's precision."""
        rgb = to_rgb(check_plane(image), intensity_range or intensity_range_of([image]))
        return self._encode_image(rgb)

    def prepare_many(
        self,
        images: Sequence[NDArray[np.generic]],
        *,
        intensity_range: IntensityRange | None = None,
    ) -> None:
        """Encode images of one size in one batch, unless all of them are encoded already.

        An embedding may differ in its last digits from that of an image encoded alone; among equal
        batch sizes it is the same whatever else is in the batch.
        """
        rgbs = [to_rgb(check_plane(image), intensity_range) for image in images]
        keys = [self._image_key(rgb) for rgb in rgbs]
        if all(key in self._store for key in keys):
            return
        geometry = InputGeometry.of(rgbs[0].shape[:2], self.config)
        with torch.inference_mode():
            batch = torch.cat([geometry.image(rgb) for rgb in rgbs]).to(self._device)
            encoded = self._model.encode_images(batch).stored()
        for i, key in enumerate(keys):
            one = partial(encoded.take, torch.tensor([i]))
            self._store.get_or_compute(key, one, record=self._record)

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

        def compute() -> TensorRecord:
            geometry = InputGeometry.of(rgb.shape[:2], self.config)
            with torch.inference_mode():
                images = geometry.image(rgb).to(self._device)
                return self._model.encode_images(images).stored()

        return self._store.get_or_compute(self._image_key(rgb), compute, record=self._record)

    @property
    def _record(self) -> type[TensorRecord] | None:
        return self._model.embedding_type if self._sha256 else None

    def _image_key(self, rgb: NDArray[np.uint8]) -> str:
        # The pixels after the intensity range, so that the range is in the key as well.
        return f"{self._origin}/image={plane_key(rgb)}"

    def _encode_reference(
        self, reference: Reference, intensity_range: IntensityRange | None
    ) -> TensorRecord:
        key = f"{self._origin}/reference={reference.content_key}/{intensity_range}"

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
