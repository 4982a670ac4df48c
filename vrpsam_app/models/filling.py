"""Put weights into a module: strictly, every tensor that does not fit being named."""

from __future__ import annotations

from torch import Tensor, nn

from vrpsam_app.errors import WeightsMismatchError

NAMED = 8
"""Tensors of each sort that a message names."""


def fill(
    module: nn.Module, weights: dict[str, Tensor], source: str, *, elsewhere: tuple[str, ...] = ()
) -> None:
    """Load weights strictly, naming every tensor that is missing, unexpected or misshapen.

    Parameters
    ----------
    module : nn.Module
    weights : dict
        Of all its parameters and buffers.
    source : str
        Where they come from, for the message.
    elsewhere : tuple of str
        Beginnings of keys that are filled from another source and must not be among the weights.

    Raises
    ------
    WeightsMismatchError
    """
    own = {k: v for k, v in module.state_dict().items() if not k.startswith(elsewhere)}
    missing = sorted(set(own) - set(weights))
    unexpected = sorted(set(weights) - set(own))
    misshapen = sorted(k for k in set(own) & set(weights) if own[k].shape != weights[k].shape)
    if missing or unexpected or misshapen:
        raise WeightsMismatchError(
            f"{source} does not fit its configuration. Missing: {_named(missing)}. Unexpected: "
            f"{_named(unexpected)}. Other shape: {_named(misshapen)}. Use the config.json that "
            "was saved with these weights."
        )
    module.load_state_dict(weights, strict=not elsewhere)


def _named(keys: list[str]) -> str:
    rest = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return (", ".join(keys[:NAMED]) or "none") + rest
