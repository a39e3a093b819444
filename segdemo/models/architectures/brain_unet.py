"""The U-Net that finds gliomas in slices of brain MRI (Buda, Saha, Mazurowski 2019,
https://doi.org/10.1016/j.compbiomed.2019.05.002). Names of layers are those of mateuszbuda/brain-segmentation-pytorch,
so that its released weights load.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn

_LEVELS = 4


class BrainUNet(nn.Module):
    """U-Net (https://arxiv.org/abs/1505.04597) of five levels; `width` channels at full size, 7.8 million parameters.

    One logit, abnormal or not, becomes two: 0 for what is not, so that a softmax gives what a sigmoid gave.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        before = 3
        for level in range(1, _LEVELS + 1):
            after = width * 2 ** (level - 1)
            self.add_module(f"encoder{level}", _block(before, after, f"enc{level}"))
            self.add_module(f"upconv{level}", nn.ConvTranspose2d(2 * after, after, 2, 2))
            self.add_module(f"decoder{level}", _block(2 * after, after, f"dec{level}"))
            before = after
        self.bottleneck = _block(before, 2 * before, "bottleneck")
        self.pool = nn.MaxPool2d(2)
        self.conv = nn.Conv2d(width, 1, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits (N, 2, H, W) of pictures (N, 3, H, W), both sides multiples of 16."""
        features, skipped = pictures, []
        for level in range(1, _LEVELS + 1):
            features = self.get_submodule(f"encoder{level}")(features)
            skipped.append(features)
            features = self.pool(features)
        features = self.bottleneck(features)
        for level in range(_LEVELS, 0, -1):
            features = self.get_submodule(f"upconv{level}")(features)
            features = self.get_submodule(f"decoder{level}")(torch.cat([features, skipped[level - 1]], 1))
        logit = self.conv(features)
        return torch.cat([torch.zeros_like(logit), logit], 1)


def _block(before: int, after: int, name: str) -> nn.Sequential:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for i, channels in ((1, before), (2, after)):
        layers[f"{name}conv{i}"] = nn.Conv2d(channels, after, 3, padding=1, bias=False)
        layers[f"{name}norm{i}"] = nn.BatchNorm2d(after)
        layers[f"{name}relu{i}"] = nn.ReLU(inplace=True)
    return nn.Sequential(layers)
