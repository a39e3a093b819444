"""FastFCN (Wu et al. 2019, https://arxiv.org/abs/1903.11816): a joint pyramid instead of a dilated backbone.

The backbone strides on to 1/32 of the picture's size, which is cheap; joint pyramid upsampling then makes from its last
three stages what a dilated backbone would have given at 1/8. Names of layers are those of the authors' code
(wuhuikai/FastFCN), so that its checkpoints load.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.resnet import Bottleneck, ResNet

_DILATIONS = (1, 2, 4, 8)


class SeparableConvolution(nn.Module):
    """A 3×3 convolution of each channel, then a mixing of the channels."""

    def __init__(self, before: int, after: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, before, 3, padding=dilation, dilation=dilation, groups=before, bias=False)
        self.bn = nn.BatchNorm2d(before)
        self.pointwise = nn.Conv2d(before, after, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(N, before, h, w) to (N, after, h, w)."""
        return self.pointwise(self.bn(self.conv1(features)))


class JointPyramidUpsampling(nn.Module):
    """The last three stages of a backbone to one map of 4 × width channels at the size of the first of them.

    aligned: enlarge with the corners of the maps on each other, as the authors' code does.
    """

    def __init__(self, channels: Sequence[int], width: int = 512, aligned: bool = True) -> None:
        super().__init__()
        self.aligned = aligned
        self.conv3, self.conv4, self.conv5 = (_block(nn.Conv2d(c, width, 3, padding=1, bias=False)) for c in channels)
        for i, dilation in enumerate(_DILATIONS, start=1):
            self.add_module(f"dilation{i}", _block(SeparableConvolution(3 * width, width, dilation), width))

    def forward(self, stages: Sequence[Tensor]) -> Tensor:
        """stages: features at 1/8, 1/16 and 1/32 of the picture's size, in this order."""
        third, fourth, fifth = (conv(x) for conv, x in zip((self.conv3, self.conv4, self.conv5), stages, strict=True))
        size = third.shape[-2:]
        larger = [F.interpolate(x, size, mode="bilinear", align_corners=self.aligned) for x in (fifth, fourth)]
        joint = torch.cat([*larger, third], 1)
        return torch.cat([self.get_submodule(f"dilation{i + 1}")(joint) for i in range(len(_DILATIONS))], 1)


class FastFcn(nn.Module):
    """A ResNet, joint pyramid upsampling, and FCN's head."""

    def __init__(
        self, trunk: ResNet, channels: Sequence[int], num_classes: int, width: int = 512, inner: int = 512
    ) -> None:
        super().__init__()
        self.pretrained = trunk
        self.jpu = JointPyramidUpsampling(channels, width)
        self.head = FcnHead(4 * width, inner, num_classes)

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits (N, C, H / 8, W / 8) of normalised pictures (N, 3, H, W)."""
        trunk = self.pretrained
        features = trunk.layer1(trunk.maxpool(trunk.relu(trunk.bn1(trunk.conv1(pictures)))))
        second = trunk.layer2(features)
        third = trunk.layer3(second)
        return self.head(self.jpu([second, third, trunk.layer4(third)]))


class FcnHead(nn.Module):
    """A 3×3 convolution and a classifier of each place."""

    def __init__(self, before: int, inner: int, num_classes: int) -> None:
        super().__init__()
        self.conv5 = nn.Sequential(
            *_block(nn.Conv2d(before, inner, 3, padding=1, bias=False)),
            nn.Dropout2d(0.1),
            nn.Conv2d(inner, num_classes, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Logits of the features' size."""
        return self.conv5(features)


def fastfcn_resnet50(num_classes: int) -> FastFcn:
    """As published: a ResNet-50 whose first convolution is three of 3×3."""
    trunk = ResNet(Bottleneck, [3, 4, 6, 3])
    del trunk.fc, trunk.avgpool
    trunk.conv1 = nn.Sequential(
        *_block(nn.Conv2d(3, 64, 3, stride=2, padding=1, bias=False)),
        *_block(nn.Conv2d(64, 64, 3, padding=1, bias=False)),
        nn.Conv2d(64, 128, 3, padding=1, bias=False),
    )
    trunk.bn1 = nn.BatchNorm2d(128)
    trunk.inplanes = 128
    trunk.layer1 = trunk._make_layer(Bottleneck, 64, 3)
    return FastFcn(trunk, (512, 1024, 2048), num_classes)


def _block(layer: nn.Module, width: int | None = None) -> nn.Sequential:
    return nn.Sequential(layer, nn.BatchNorm2d(width or layer.out_channels), nn.ReLU(inplace=True))  # type: ignore[arg-type]
