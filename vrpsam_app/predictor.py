"""References and a target in, a prediction out: what every surface calls."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from vrpsam_app.config import ModelConfig
from vrpsam_app.corrections import Corrections
from vrpsam_app.devices import choose_device
from vrpsam_app.embedding_store import EmbeddingStore
from vrpsam_app.errors import AnnotationError, EmptyReferenceError
from vrpsam_app.images import IntensityRange, check_plane, intensity_range_of, to_rgb
from vrpsam_app.model_input import InputGeometry
from vrpsam_app.models.build import VRPSAM
from vrpsam_app.models.embeddings import DecoderOutput, PromptTensors, TensorRecord
from vrpsam_app.models.load import load_model
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import ClassPredictions, Prediction

References = Reference | Sequence[Reference]


class VRPSAMPredictor:
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
        model: VRPSAM,
        *,
        device: torch.device,
        sha256: str = "",
        store: EmbeddingStore | None = None,
    ) -> None:
        self._model = model.to(device=device, memory_format=torch.channels_last)
        self._device = device
        self._sha256 = sha256
        self._store = store or EmbeddingStore()

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

    def predict(
        self,
        target: NDArray[np.generic],
        references: References,
        *,
        corrections: Corrections | None = None,
        intensity_range: IntensityRange | None = None,
        threshold: float = 0.5,
    ) -> Prediction:
        """Find what the references show in one target.

        Parameters
        ----------
        target : shape (H, W), (H, W, 3) or (H, W, 4), any real dtype
            uint8 is taken as it is; other types are brought to 8 bits by one intensity range for
            target and references.
        references : Reference or sequence of Reference
            All of one label; "not this" references may be among them.
        corrections : Corrections, optional
            Marks on the target.
        intensity_range : IntensityRange, optional
            Default: the 0.1 and 99.9 percentiles of this set of images.
        threshold : float
            On the probability.

        Raises
        ------
        EmptyReferenceError
            If there is no reference, or none with positive marks.
        AnnotationError
            If the references have several labels.
        ImageError
            If the target is not a plane.
        """
        references = as_sequence(references)
        labels = list(dict.fromkeys(r.label for r in references))
        if len(labels) > 1:
            raise AnnotationError(
                f"The references have the labels {', '.join(map(repr, labels))}: predict expects "
                "one. Use predict_classes for several."
            )
        target = check_plane(target, name="target")
        intensity_range = intensity_range or intensity_range_of(_images(target, references))
        return self._predict_one(
            target, references, labels[0], corrections, intensity_range, threshold
        )

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

    def predict_classes(
        self,
        target: NDArray[np.generic],
        references: References,
        *,
        corrections: Corrections | None = None,
        intensity_range: IntensityRange | None = None,
        threshold: float = 0.5,
    ) -> ClassPredictions:
        """Find every label of the references in one target; the labels compete per pixel.

        The references of the other labels count as "not this" for each label. Arguments and
        errors as for :meth:`predict`; `corrections` apply to the first label.
        """
        references = as_sequence(references)
        target = check_plane(target, name="target")
        intensity_range = intensity_range or intensity_range_of(_images(target, references))
        names = tuple(dict.fromkeys(r.label for r in references))
        alone = {}
        for i, name in enumerate(names):
            own = [r for r in references if r.label == name]
            others = [r.as_not_this() for r in references if r.label != name and r.positive.any()]
            alone[name] = self._predict_one(
                target, own + others, name, corrections if i == 0 else None,
                intensity_range, threshold,
            )
        return ClassPredictions.compete(alone)

    def _predict_one(
        self,
        target: NDArray[np.generic],
        references: Sequence[Reference],
        label: str,
        corrections: Corrections | None,
        intensity_range: IntensityRange | None,
        threshold: float,
    ) -> Prediction:
        rgb = to_rgb(target, intensity_range)
        geometry = InputGeometry.of(rgb.shape[:2], self.config)
        marked = list(references)
        prompts = None
        if corrections is not None and (corrections.annotations or corrections.mask_logits is not None):
            marked += _as_reference(target, corrections, label)
            prompts = self._prompts(corrections, geometry)
        with torch.inference_mode():
            embedding = self._encode_image(rgb)
            encoded = [self._encode_reference(r, intensity_range) for r in marked]
            output: DecoderOutput = self._model.decode(
                embedding.to(self._device, torch.float32),
                [e.to(self._device) for e in encoded],
                prompts,
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
        key = f"{self._sha256}/image/{_digest(rgb)}"

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
        box = geometry.points(box_xyxy.reshape(2, 2)).reshape(1, 4) if box_xyxy is not None else None
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


def as_sequence(references: References) -> Sequence[Reference]:
    """Return the references as a sequence.

    Raises
    ------
    EmptyReferenceError
        If there is none.
    """
    sequence = [references] if isinstance(references, Reference) else list(references)
    if not sequence:
        raise EmptyReferenceError(
            "No reference was given: expected at least one annotated image. "
            "Make one with Reference.from_annotations(image, marks)."
        )
    return sequence


def _as_reference(
    target: NDArray[np.generic], corrections: Corrections, label: str
) -> list[Reference]:
    """Turn marks on the target into a reference of its own: its pixels say most about it."""
    if not corrections.annotations:
        return []
    return [Reference.from_annotations(target, corrections.annotations, label=label)]


def _images(
    target: NDArray[np.generic], references: Sequence[Reference]
) -> list[NDArray[np.generic]]:
    return [target, *(r.image for r in references)]


def _digest(rgb: NDArray[np.uint8]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr(rgb.shape).encode())
    digest.update(np.ascontiguousarray(rgb))
    return digest.hexdigest()
