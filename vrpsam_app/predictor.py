"""References and a target in, a prediction out: what every surface calls."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hub_weights import DownloadCallback
from vrpsam_app.config import ModelConfig
from vrpsam_app.corrections import Corrections
from vrpsam_app.decoding import answer, go_together, look_at, with_own_marks
from vrpsam_app.devices import choose_device
from vrpsam_app.embeddings.passing_store import PassingStore
from vrpsam_app.embeddings.store import EmbeddingStore
from vrpsam_app.encodings import Encodings
from vrpsam_app.images import IntensityRange, check_plane, intensity_range_of, to_rgb
from vrpsam_app.models.embeddings import TensorRecord
from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.models.load import load_model
from vrpsam_app.models.vrp_sam import VRPSAM
from vrpsam_app.precision import Precision, choose_precision
from vrpsam_app.reference_segmenter import (
    Question,
    References,
    ReferenceSegmenter,
    as_sequence,
    check_settings,
    only_label,
    range_of,
)
from vrpsam_app.references import Reference, spelled_out
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
    precision : {"fp32", "bf16"}
        In which pictures are encoded (:mod:`vrpsam_app.precision`).
    compiled : bool
        Whether PyTorch compiles the encoder first (:class:`vrpsam_app.encodings.Encodings`).

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
        precision: Precision = "fp32",
        compiled: bool = False,
    ) -> None:
        self._model = model.to(device)
        # Convolutions on a CPU are many times faster with the channels last.
        self._model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device = device
        self._sha256 = sha256
        self._encodings = Encodings(
            self._model,
            device=device,
            sha256=sha256,
            store=EmbeddingStore() if store is None else store,
            precision=precision,
            compiled=compiled,
        )

    @classmethod
    def from_pretrained(
        cls,
        name_or_folder: str | Path = "embedded",
        *,
        device: str = "auto",
        precision: str = "auto",
        compiled: bool = False,
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
        precision : str
            auto, fp32 or bf16: in which pictures are encoded (:mod:`vrpsam_app.precision`).
        compiled : bool
            Whether PyTorch compiles the encoder at the first picture of each size, which takes
            minutes on a processor and about one on a CUDA device, so that further ones are faster.
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
            If the device is not there, or cannot do with the precision.
        ConfigError
            If there is no such precision.
        """
        chosen = choose_device(device)
        model, folder = load_model(
            name_or_folder,
            revision=revision,
            token=token,
            local_files_only=local_files_only,
            progress=progress,
        )
        numbers = choose_precision(precision, chosen, model.config.sam)
        return cls(
            model,
            device=chosen,
            sha256=folder.sha256,
            store=store,
            precision=numbers,
            compiled=compiled,
        )

    def __repr__(self) -> str:
        return (
            f"VRPSAMPredictor({self.config.name!r}, device={self.device!r}, "
            f"sha256={self._sha256[:8]!r})"
        )

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
        return self._encodings.store

    @property
    def origin(self) -> str:
        """What embeddings depend on besides the image: model, code, device, precision."""
        return self._encodings.origin

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

    def passing(self, *, planes: int | None = None) -> VRPSAMPredictor:
        """Return a predictor on the same model for planes that are each looked at once.

        It finds what this one has kept, but keeps few embeddings itself, so that a long stack does
        not fill the memory.

        Parameters
        ----------
        planes : whose embeddings are kept at a time; None as many as fit in 128 MB
        """
        other = copy.copy(self)
        other._encodings = self._encodings.kept_in(PassingStore(self.store, planes=planes))
        return other

    def describe(self) -> dict[str, object]:
        """Return what a recipe must pin: model, weights, device, precision, versions."""
        from vrpsam_app import __version__

        return {
            "method": "vrp_sam",
            "model": self.config.name,
            "sha256": self._sha256,
            "device": self.device,
            "precision": self._encodings.precision,
            **({"compiled": True} if self._encodings.compiled else {}),
            "versions": {
                "vrpsam_app": __version__,
                "torch": torch.__version__,
                "numpy": np.__version__,
            },
        }

    def prepare(
        self, image: NDArray[np.generic], *, intensity_range: IntensityRange | None = None
    ) -> None:
        """Encode an image now, so that a later call with it is quick.

        Parameters
        ----------
        image : shape (H, W), (H, W, 3) or (H, W, 4)
        intensity_range : that of the later call, such as ``intensity_range_of([target,
            reference.image])``; in another one the image has to be encoded again
            None takes the image's own. Images of 8 bits have none.
        """
        self.embed(image, intensity_range=intensity_range)

    def embed(
        self, image: NDArray[np.generic], *, intensity_range: IntensityRange | None = None
    ) -> TensorRecord:
        """Encode an image, or find its embedding: on the CPU, at the store's precision."""
        rgb = to_rgb(check_plane(image), intensity_range or intensity_range_of([image]))
        return self._encodings.picture(rgb)

    @property
    def batch_size(self) -> int:
        """How many pictures :meth:`prepare_many` is best given at once."""
        return self._encodings.batch_size

    def prepare_many(
        self,
        images: Sequence[NDArray[np.generic]],
        *,
        intensity_range: IntensityRange | None = None,
    ) -> None:
        """Encode images of one size in one batch, unless all of them are encoded already.

        An embedding may differ in its last digits from that of an image encoded alone; among equal
        batch sizes it is the same whatever else is in the batch.

        Parameters
        ----------
        images : as for :meth:`prepare`
        intensity_range : that of the later calls; None takes each image's own
        """
        self._encodings.pictures([to_rgb(check_plane(i), intensity_range) for i in images])

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
        check_settings(target, prompts, intensity_range, threshold)
        question = Question(only_label(references), spelled_out(references), prompts)
        intensity_range = intensity_range or range_of(target, references)
        seen = look_at(self._encodings, target, intensity_range)
        (found,) = answer(
            self._encodings, seen, [question], threshold, self.describe(), visual_prompts=False
        )
        return found

    def _predict_one(
        self,
        target: NDArray[np.generic],
        references: Sequence[Reference],
        label: str,
        corrections: Corrections | None,
        intensity_range: IntensityRange | None,
        threshold: float,
    ) -> Prediction:
        question = Question(label, references, corrections)
        return self._predict_each(target, [question], intensity_range, threshold)[0]

    def _predict_each(
        self,
        target: NDArray[np.generic],
        questions: Sequence[Question],
        intensity_range: IntensityRange | None,
        threshold: float,
    ) -> list[Prediction]:
        """Look at the target once for all classes; a CUDA device decodes them together."""
        seen = look_at(self._encodings, target, intensity_range)
        asked = [with_own_marks(question, target) for question in questions]
        together = self._device.type == "cuda" and go_together(asked)
        batches = [asked] if together else [[one] for one in asked]
        made_by = self.describe()
        return [
            found
            for batch in batches
            for found in answer(self._encodings, seen, batch, threshold, made_by)
        ]
