"""Two small convolutional backbones: what stands for ResNet and VGG where no large one can be had.

==========  ===================  ========  ======
stage       what                 channels  stride
==========  ===================  ========  ======
``layer0``  convolution          24        2
``layer1``  two convolutions     32        4
``layer2``  two convolutions     64        8
``layer3``  two, dilated         96        8
``layer4``  two, dilated         128       8
==========  ===================  ========  ======

``small_resnet`` adds each stage's second convolution to what went in, ``small_vgg`` has no
shortcuts. As in the published backbones the last stages keep stride 8, and features end in a ReLU.
Groups are normalised, not batches: a batch mixes pictures of very different kinds.
"""

from __future__ import annotations

import itertools
from typing import Literal, get_args

from torch import Tensor, nn

SmallBackboneName = Literal["small_resnet", "small_vgg"]
SMALL_BACKBONES: tuple[SmallBackboneName, ...] = get_args(SmallBackboneName)

CHANNELS = (24, 32, 64, 96, 128)
# (stride, dilation) of the stages after the first.
_PLANS = ((2, 1), (2, 1), (1, 2), (1, 2))
_GROUPS = 8


class Stage(nn.Module):
    """Two 3x3 convolutions, each normalised and rectified.

    Parameters
    ----------
    in_channels, out_channels, stride, dilation : int
        The first convolution has the stride, both the dilation.
    shortcut : bool
        Whether the second one is added to the first one's output.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, stride: int, dilation: int, shortcut: bool
    ) -> None:
        super().__init__()
        self.first = _convolution(in_channels, out_channels, stride, dilation)
        self.second = _convolution(out_channels, out_channels, 1, dilation)
        self.relu = nn.ReLU()
        self.shortcut = shortcut

    def forward(self, maps: Tensor) -> Tensor:
        """Take maps (B, in_channels, H, W) to (B, out_channels, H / stride, W / stride)."""
        first = self.relu(self.first(maps))
        second = self.second(first)
        out: Tensor = self.relu(first + second if self.shortcut else second)
        return out


def build_small_stages(name: SmallBackboneName) -> tuple[nn.Sequential, ...]:
    """Build ``layer0`` to ``layer4`` with random weights.

    Returns
    -------
    stages : five nn.Sequential
    """
    stages = [nn.Sequential(_convolution(3, CHANNELS[0], 2, 1), nn.ReLU())]
    for (before, after), (stride, dilation) in zip(
        itertools.pairwise(CHANNELS), _PLANS, strict=True
    ):
        shortcut = name == "small_resnet"
        stages.append(
            nn.Sequential(Stage(before, after, stride=stride, dilation=dilation, shortcut=shortcut))
        )
    return tuple(stages)


def _convolution(in_channels: int, out_channels: int, stride: int, dilation: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(
            in_channels,
            out_channels,
            3,
            stride=stride,
            padding=dilation,
            dilation=dilation,
            bias=False,
        ),
        nn.GroupNorm(_GROUPS, out_channels),
    )
