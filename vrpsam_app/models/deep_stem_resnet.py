"""ResNets with a deep stem and dilated last stages, the backbones of the published VRP encoder.

==========  =========================================  ==================  ========
stage       what                                       channels (50, 101)  stride
==========  =========================================  ==================  ========
``layer0``  three 3x3 convolutions, max pooling        128                 4
``layer1``  3 bottlenecks                              256                 4
``layer2``  4 bottlenecks                              512                 8
``layer3``  6 or 23 bottlenecks, dilation 1, then 2    1024                8
``layer4``  3 bottlenecks, dilation 2, then 4          2048                8
==========  =========================================  ==================  ========

They differ from the usual ResNets in the stem (three convolutions of 64, 64 and 128 channels for
one 7x7), so that the usual ImageNet weights do not fit. The strides of the last two stages are
replaced by dilation as in torchvision: the first block keeps the dilation of the stage before.
"""

from __future__ import annotations

from torch import Tensor, nn

BLOCKS = {"resnet50_v2": (3, 4, 6, 3), "resnet101_v2": (3, 4, 23, 3)}
_STEM_CHANNELS = (64, 64, 128)
_EXPANSION = 4


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution beside a shortcut; the stride sits on the 3x3.

    Parameters
    ----------
    in_channels, width : int
        The output has four times `width` channels.
    stride, dilation : int
        Of the 3x3 convolution.
    project : bool
        Whether the shortcut needs a 1x1 convolution of its own.
    """

    def __init__(
        self, in_channels: int, width: int, *, stride: int, dilation: int, project: bool
    ) -> None:
        super().__init__()
        out_channels = width * _EXPANSION
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(
            width, width, 3, stride=stride, padding=dilation, dilation=dilation, bias=False
        )
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = (
            nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )
            if project
            else nn.Identity()
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Take maps (B, in_channels, h, w) to (B, 4 * width, h / stride, w / stride)."""
        out = self.relu(self.bn1(self.conv1(maps)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        summed: Tensor = self.relu(out + self.downsample(maps))
        return summed


def build_deep_stem_stages(blocks: tuple[int, int, int, int]) -> tuple[nn.Sequential, ...]:
    """Build ``layer0`` to ``layer4`` with random weights.

    Parameters
    ----------
    blocks : four int
        Bottlenecks of ``layer1`` to ``layer4``; see ``BLOCKS``.

    Returns
    -------
    stages : five nn.Sequential
    """
    stem: list[nn.Module] = []
    channels = 3
    for i, out_channels in enumerate(_STEM_CHANNELS):
        stem += [
            nn.Conv2d(channels, out_channels, 3, stride=2 if i == 0 else 1, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        ]
        channels = out_channels
    stages = [nn.Sequential(*stem, nn.MaxPool2d(3, stride=2, padding=1))]
    # (stride, dilation of the first block, dilation of the others) of each stage.
    plans = ((1, 1, 1), (2, 1, 1), (1, 1, 2), (1, 2, 4))
    for level, (count, (stride, first_dilation, dilation)) in enumerate(
        zip(blocks, plans, strict=True)
    ):
        width = 64 * 2**level
        stage = [Bottleneck(channels, width, stride=stride, dilation=first_dilation, project=True)]
        channels = width * _EXPANSION
        stage += [
            Bottleneck(channels, width, stride=1, dilation=dilation, project=False)
            for _ in range(count - 1)
        ]
        stages.append(nn.Sequential(*stage))
    return tuple(stages)
