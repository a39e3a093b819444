"""SegNet (Badrinarayanan, Kendall, Cipolla 2015, https://arxiv.org/abs/1511.00561).

An encoder that remembers, at each pooling, where the largest value stood, and a decoder that puts values back there.
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F


class SegNet(nn.Module):
    """Five stages down, five up; as published (VGG-16's widths and depths) 29.4 million parameters.

    widths, depths: of the encoder's stages; the decoder mirrors them.
    """

    def __init__(
        self,
        num_classes: int,
        widths: tuple[int, ...] = (64, 128, 256, 512, 512),
        depths: tuple[int, ...] = (2, 2, 3, 3, 3),
    ) -> None:
        super().__init__()
        levels = list(zip(pairwise((3, *widths)), depths, strict=True))
        self.encoder = nn.ModuleList(_stage([before] + [width] * depth) for (before, width), depth in levels)
        last = _stage([widths[0]] * depths[0]).append(nn.Conv2d(widths[0], num_classes, 3, padding=1))
        others = [_stage([width] * depth + [before]) for (before, width), depth in levels[1:]]
        self.decoder = nn.ModuleList([last, *others])

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits (N, C, H, W) of normalised pictures (N, 3, H, W)."""
        features, remembered = pictures, []
        for stage in self.encoder:
            features = stage(features)
            size = features.shape
            features, places = F.max_pool2d(features, 2, ceil_mode=True, return_indices=True)
            remembered.append((places, size))
        for stage, (places, size) in zip(reversed(self.decoder), reversed(remembered), strict=True):
            features = stage(F.max_unpool2d(features, places, [2, 2], output_size=list(size)))
        return features


def _stage(widths: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
