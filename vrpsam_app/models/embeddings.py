"""What a model computes once and keeps: image embeddings and reference encodings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, eq=False)
class TensorRecord:
    """A frozen record of tensors that moves between devices and precisions as one value."""

    def _map(self, change: Callable[[Any], Any]) -> Self:
        return type(self)(**{f.name: change(getattr(self, f.name)) for f in fields(self)})

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Self:
        """Return a copy on `device`; floating tensors change to `dtype` when it is given."""

        def move(value: Any) -> Any:
            if isinstance(value, Tensor):
                keep = dtype is None or not value.is_floating_point()
                return value.to(device) if keep else value.to(device, dtype)
            if isinstance(value, TensorRecord):
                return value.to(device, dtype)
            return _rebuilt(value, move)

        return self._map(move)

    def stored(self) -> Self:
        """Return the value at the precision in which embeddings are kept and always read: fp16."""
        return self.to("cpu", torch.float16)

    def take(self, index: Tensor) -> Self:
        """Select batch items."""

        def select(value: Any) -> Any:
            if isinstance(value, Tensor):
                return value[index]
            if isinstance(value, TensorRecord):
                return value.take(index)
            return _rebuilt(value, select)

        return self._map(select)

    def joined_with(self, others: Sequence[Self]) -> Self:
        """Return one record with the batch items of this and of others behind each other."""
        return type(self)(
            **{
                f.name: _joined([getattr(record, f.name) for record in (self, *others)])
                for f in fields(self)
            }
        )

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the tensors by field, as they lie in memory, for a record that holds only such.

        Raises
        ------
        TypeError
            If a field is no tensor.
        """
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        if strange := [name for name, value in values.items() if not isinstance(value, Tensor)]:
            raise TypeError(f"{type(self).__name__}.{strange[0]} is no tensor: expected only such.")
        return {name: value.detach().cpu().numpy() for name, value in values.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the record of which :meth:`to_arrays` gave the arrays.

        Raises
        ------
        ValueError
            If it has other fields.
        """
        names = [f.name for f in fields(cls)]
        if sorted(names) != sorted(arrays):
            raise ValueError(
                f"{cls.__name__} consists of {', '.join(names)}: got {', '.join(sorted(arrays))}."
            )
        return cls(**{name: torch.from_numpy(arrays[name]) for name in names})

    @property
    def nbytes(self) -> int:
        """Memory of all tensors in bytes."""

        def size(value: Any) -> int:
            if isinstance(value, Tensor):
                return value.numel() * value.element_size()
            if isinstance(value, TensorRecord):
                return value.nbytes
            if isinstance(value, tuple | list):
                return sum(size(v) for v in value)
            return 0

        return sum(size(getattr(self, f.name)) for f in fields(self))


def _rebuilt(value: Any, change: Callable[[Any], Any]) -> Any:
    """Apply `change` inside plain and named tuples; anything else stays."""
    if not isinstance(value, tuple):
        return value
    changed = [change(v) for v in value]
    return type(value)(*changed) if hasattr(value, "_fields") else tuple(changed)


def _joined(values: Sequence[Any]) -> Any:
    """Join values of one field; what is no tensor has to be the same in all."""
    first = values[0]
    if isinstance(first, Tensor):
        return torch.cat(list(values))
    if isinstance(first, TensorRecord):
        return first.joined_with(values[1:])
    if isinstance(first, tuple):
        parts = [_joined(same) for same in zip(*values, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else tuple(parts)
    return first


@dataclass(frozen=True, eq=False)
class PromptTensors(TensorRecord):
    """SAM's own prompts on the target, to correct a result.

    Attributes
    ----------
    points_xy : shape (B, N, 2)
        In pixels of the model's input.
    point_labels : shape (B, N)
        1 object, 0 background, -1 padding.
    boxes_xyxy : shape (B, 4), or None
        In pixels of the model's input.
    mask_logits : shape (B, 1, 4h, 4w), or None
        Logits of the previous answer on the decoder's output grid.
    """

    points_xy: Tensor | None = None
    point_labels: Tensor | None = None
    boxes_xyxy: Tensor | None = None
    mask_logits: Tensor | None = None


@dataclass(frozen=True, eq=False)
class DecoderOutput(TensorRecord):
    """What the decoder says of a batch of targets.

    Attributes
    ----------
    mask_logits : shape (B, 1, 4h, 4w)
        On the decoder's output grid.
    score : shape (B,)
        Predicted IoU.
    presence : shape (B,)
        Probability that the object is in the picture at all.
    pseudo_mask : shape (B, 1, h', w'), in [0, 1]
        The training-free prior.
    """

    mask_logits: Tensor
    score: Tensor
    presence: Tensor
    pseudo_mask: Tensor
