"""A module whose weights no training step may touch."""

from __future__ import annotations

from typing import Self

from torch import Tensor, nn


class FrozenModule(nn.Module):
    """Base for modules that are used as they were trained.

    After :meth:`freeze` no parameter asks for a gradient and the module stays in evaluation mode
    even when a parent calls ``.train()``: batch norms keep their statistics. Gradients still pass
    *through* it to its inputs, which learned prompts need.
    """

    frozen = False

    def freeze(self) -> Self:
        """Freeze all parameters and switch to evaluation mode for good."""
        self.requires_grad_(False)
        self.frozen = True
        return self.eval()

    def unfreeze(self) -> Self:
        """Make all parameters trainable and let ``.train()`` work again."""
        self.requires_grad_(True)
        self.frozen = False
        return self

    def train(self, mode: bool = True) -> Self:
        """Switch to training mode, unless frozen."""
        return super().train(mode and not self.frozen)


def learned_state(model: nn.Module) -> dict[str, Tensor]:
    """Return the part of a state dict that training makes: all outside frozen modules.

    Which parameters happen to ask for gradients at the moment does not matter.
    """
    frozen = tuple(
        f"{name}." for name, part in model.named_modules() if getattr(part, "frozen", False)
    )
    return {key: v for key, v in model.state_dict().items() if not key.startswith(frozen)}
