"""What every VRP-SAM module can do, whatever it is made of: encode images, references, decode.

========================  ============================================  =====================
step                      in -> out                                     once per
========================  ============================================  =====================
``encode_images``         (B, 3, H, W) in [0, 1] -> embedding           image
``encode_reference``      embedding, marks (B, 3, H, W) -> encoding     annotated reference
``decode``                embedding, encodings -> `DecoderOutput`       target and class
========================  ============================================  =====================

Embeddings and encodings are :class:`TensorRecord` values that only the module they come from reads;
whoever calls it may keep, move and hand them back.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from torch import Tensor, nn

from vrpsam_app.config import ModelConfig
from vrpsam_app.errors import EmptyReferenceError
from vrpsam_app.models.embeddings import DecoderOutput, PromptTensors, TensorRecord

Embedding = TypeVar("Embedding", bound=TensorRecord)
Encoding = TypeVar("Encoding", bound=TensorRecord)


class VRPSAM(nn.Module, Generic[Embedding, Encoding]):
    """Base of the modules; ``build_model`` picks one for a configuration.

    Attributes
    ----------
    embedding_type : type of what ``encode_images`` gives, by which it is read from disk again
    fits_together : whether several references of a class are more than each of them by itself
    reference_type : type of what ``encode_reference_images`` gives; None where a reference needs
        all that a target does
    """

    embedding_type: ClassVar[type[TensorRecord]]
    reference_type: ClassVar[type[TensorRecord] | None] = None
    fits_together: ClassVar[bool] = False

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config

    @abstractmethod
    def encode_images(self, images: Tensor) -> Embedding:
        """Encode images (B, 3, H, W) in [0, 1]."""

    def encode_reference_images(self, images: Tensor) -> TensorRecord:
        """Encode images (B, 3, H, W) as far as references need it, which may cost less."""
        return self.encode_images(images)

    @abstractmethod
    def encode_reference(self, embedding: Embedding, marks: Tensor, is_box: Tensor) -> Encoding:
        """Encode annotated references, one per batch item.

        Parameters
        ----------
        embedding : Embedding
            Of the reference images; what ``encode_reference_images`` gives serves as well.
        marks : shape (B, 3, H, W), float in [0, 1]
            Share of each input pixel that is object, certain background, weak background.
        is_box : shape (B,), bool
            Whether the object marks are boxes.
        """

    def fit_together(self, references: Sequence[Encoding]) -> TensorRecord:
        """Compute what references of a class say together, before any target.

        Parameters
        ----------
        references : as for :meth:`decode`
        """
        raise NotImplementedError(f"{type(self).__name__} fits nothing to references together.")

    @abstractmethod
    def decode(
        self,
        target: Embedding,
        references: Sequence[Encoding],
        prompts: PromptTensors | None = None,
        *,
        visual_prompts: bool = True,
        together: TensorRecord | None = None,
    ) -> DecoderOutput:
        """Find the references' object in each target.

        Parameters
        ----------
        target : Embedding
            B targets.
        references : sequence of Encoding
            One per shot, each holding B references, item i for target i.
        prompts : PromptTensors, optional
            Clicks, boxes or a previous mask on the targets.
        visual_prompts : bool
            False leaves the decoder to SAM's own prompts; the pseudo-mask is made all the same.
        together : TensorRecord, optional
            What :meth:`fit_together` gave for the references; computed if it is not given.

        Raises
        ------
        EmptyReferenceError
            If no reference marks an object.
        """

    @abstractmethod
    def output_hw(self, input_hw: tuple[int, int]) -> tuple[int, int]:
        """Size of the decoder's output grid for an input of this size."""


def require_object(showing: Sequence[TensorRecord]) -> None:
    """Refuse references that only say what the object is not.

    Raises
    ------
    EmptyReferenceError
    """
    if not showing:
        raise EmptyReferenceError(
            "No reference marks an object, all say 'not this': expected at least one with "
            "positive marks. Mark an object in one of them."
        )
