"""Feature augmenter: tell features which object is meant, by prototype and mask.

===============  ==================  ==============================================
step             shape out           what
===============  ==================  ==============================================
``reduce``       (B, C, h, w)        1x1 convolution of the middle features, ReLU
prototype        (B, C)              mean of the reduced reference under its mask
``merge``        (B, C, h, w)        1x1 convolution of features, prototype and mask
===============  ==================  ==============================================

One set of weights serves reference and target (paper [1]_, section 4.1, equations 1 to 3).

References
----------
.. [1] Sun et al., VRP-SAM: SAM with Visual Reference Prompt, CVPR 2024, arXiv:2402.17726.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Added to the mask's area in the published code; another value breaks parity with it.
AREA_EPSILON = 5e-4


def masked_average_pool(features: Tensor, mask: Tensor) -> Tensor:
    """Average the features under the mask: the prototype of the marked object.

    Parameters
    ----------
    features : shape (B, C, h, w), float
    mask : shape (B, 1, h, w), float in [0, 1]
        Share of each cell that is marked.

    Returns
    -------
    prototype : shape (B, C)
        Zero where nothing is marked.
    """
    total = torch.einsum("bchw,bhw->bc", features, mask[:, 0])
    area = mask.sum(dim=(1, 2, 3))
    return total / (area[:, None] + AREA_EPSILON)


class FeatureAugmenter(nn.Module):
    """Shared 1x1 convolutions that add prototype and mask to the features.

    Parameters
    ----------
    in_channels : int
        Channels of the semantic encoder's middle features.
    hidden_dim : int
        Channels of the augmented maps, and of the visual prompts.
    dropout : float
        Probability of dropping a whole channel of the reduced features in training.
    mask_gain : float
        Factor on masks and pseudo-masks before they are merged; 10 in the published code.
    """

    def __init__(
        self, in_channels: int, hidden_dim: int, *, dropout: float = 0.5, mask_gain: float = 10.0
    ) -> None:
        super().__init__()
        self.mask_gain = mask_gain
        self.reduce = nn.Sequential(
            nn.Conv2d(in_channels, hidden_dim, kernel_size=1, bias=False),
            nn.ReLU(),
            nn.Dropout2d(dropout),
        )
        self.merge = nn.Sequential(
            nn.Conv2d(2 * hidden_dim + 1, hidden_dim, kernel_size=1, bias=False),
            nn.ReLU(),
        )

    def forward(self, reduced: Tensor, prototype: Tensor, mask: Tensor) -> Tensor:
        """Merge features, prototype and mask.

        Parameters
        ----------
        reduced : shape (B, C, h, w), float
            What ``self.reduce`` made of the middle features.
        prototype : shape (B, C) or (1, C), float
        mask : shape (B, 1, h, w), float
            The reference's mask on its grid, or the target's pseudo-mask.

        Returns
        -------
        augmented : shape (B, C, h, w), float, not negative
        """
        spread = prototype[:, :, None, None].expand(*reduced.shape)
        merged: Tensor = self.merge(torch.cat((reduced, spread, mask * self.mask_gain), dim=1))
        return merged
