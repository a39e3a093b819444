"""DeepLab with a large field of view (Chen et al. 2014, https://arxiv.org/abs/1412.7062).

VGG-16 whose last two poolings do not shrink, whose later kernels have holes instead, and whose first "fully connected"
layer is a 3×3 convolution with holes of 12: a wide view at an eighth of the picture's size. The paper sharpens the
answer with a dense CRF (`dense_crf`). Batch normalisation is ours: without it the network does not learn from scratch.
"""

from itertools import pairwise

from torch import Tensor, nn

VGG_DEPTHS = (2, 2, 3, 3, 3)
_STRIDES = (2, 2, 2, 1, 1)  # of the pooling behind each stage
_DILATIONS = (1, 1, 1, 1, 2)  # of each stage's kernels
_FIELD = 12  # pixels between the taps of the wide layer


class DeepLab(nn.Module):
    """DeepLab-LargeFOV; as published (widths of VGG-16, 1024 in the wide layer) 20.5 million parameters."""

    def __init__(self, num_classes: int, widths: tuple[int, ...] = (64, 128, 256, 512, 512), wide: int = 1024) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for (before, width), depth, stride, dilation in zip(
            pairwise((3, *widths)), VGG_DEPTHS, _STRIDES, _DILATIONS, strict=True
        ):
            for i in range(depth):
                layers += _convolution(before if i == 0 else width, width, 3, dilation)
            layers.append(nn.MaxPool2d(3, stride, padding=1))
        self.trunk = nn.Sequential(*layers)
        self.head = nn.Sequential(
            *_convolution(widths[-1], wide, 3, _FIELD),
            *_convolution(wide, wide, 1, 1),
            nn.Dropout(0.1),
            nn.Conv2d(wide, num_classes, 1),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits (N, C, H / 8, W / 8) of normalised pictures (N, 3, H, W)."""
        return self.head(self.trunk(pictures))


def _convolution(before: int, after: int, kernel: int, dilation: int) -> list[nn.Module]:
    padding = dilation * (kernel // 2)
    conv = nn.Conv2d(before, after, kernel, padding=padding, dilation=dilation, bias=False)
    return [conv, nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
