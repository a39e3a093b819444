"""A dense conditional random field that refines a semantic answer: labels move to the picture's own edges.

Krähenbühl and Koltun, "Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials", NIPS 2011,
https://arxiv.org/abs/1210.5644, as DeepLab used it: Chen et al., https://arxiv.org/abs/1412.7062 and 1606.00915.
Every pixel is tied to every other, the more so the closer they are in position and colour (Potts model), and mean-field
inference finds each pixel's probabilities in a few rounds:

    log Q(pixel) = log P(pixel) + w_bilateral · (Gaussian of position and colour) * Q + w_spatial · (of position) * Q

Both Gaussians are normalised symmetrically, D^-1/2 K D^-1/2, as in the authors' code of 2013, and a pixel counts as its
own neighbour, as there (the paper leaves it out). The bilateral one is a permutohedral lattice, an approximation; the
spatial one a separable convolution.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from segdemo.models.permutohedral import lattice

_NOTICEABLE: Final = 0.02
# A band of rows is passed over about twenty times: on a CPU it should stay in the cache, on a GPU it should fill it.
_BAND_BYTES_CPU: Final = 1 << 19
_BAND_BYTES_GPU: Final = 256 << 20


@dataclass(frozen=True)
class CrfSettings:
    """How many rounds, and each kernel's weight and standard deviations, in pixels and in colour values of 0 to 255.

    Kernels as DeepLab's authors released them with their ResNet-101 of 2016 (run_densecrf.sh), found on PASCAL VOC's
    pictures of 500×375 pixels; they took 10 rounds.
    """

    iterations: int = 5
    bilateral_weight: float = 4.0
    bilateral_xy_std: float = 67.0
    bilateral_rgb_std: float = 3.0
    spatial_weight: float = 3.0
    spatial_xy_std: float = 1.0


@torch.no_grad()
def refined(probabilities: Tensor, rgb: Tensor, settings: CrfSettings = CrfSettings()) -> Tensor:  # noqa: B008 frozen
    """The probabilities of the classes after the CRF.

    probabilities: (C, H, W) float32 that sum to 1 over C. rgb: (3, H, W) uint8, the picture, on the same device.
    Returns (C, H, W) float32 that sum to 1. Classes that have a probability above 0.02 nowhere keep their share.
    """
    present = probabilities.amax((1, 2)) > _NOTICEABLE
    if not present.any():
        return probabilities.clone()
    if present.all():
        return _mean_field(probabilities, rgb, settings)
    noticeable = probabilities[present]
    share = noticeable.sum(0)
    answer = probabilities.clone()
    answer[present] = _mean_field(noticeable / share, rgb, settings).mul_(share)
    return answer


def _mean_field(probabilities: Tensor, rgb: Tensor, settings: CrfSettings) -> Tensor:
    classes, height, width = probabilities.shape
    bilateral = lattice(_features(rgb, settings))
    spatial = _SpatialGaussian((height, width), settings.spatial_xy_std, probabilities.device)
    # One row of classes per pixel: the lattice moves whole rows.
    beliefs = probabilities.flatten(1).t().contiguous()
    unary = beliefs.clamp(min=torch.finfo(torch.float32).tiny).log_()
    following = torch.empty_like(beliefs)
    for _ in range(settings.iterations):
        table = bilateral.at_corners(beliefs)
        maps = beliefs.view(height, width, classes)
        for rows in _bands(maps):
            points = slice(rows.start * width, rows.stop * width)
            logits = torch.add(unary[points], bilateral.read(table, points), alpha=settings.bilateral_weight)
            logits.add_(spatial.blurred(maps, rows), alpha=settings.spatial_weight)
            torch.softmax(logits, 1, out=following[points])
        beliefs, following = following, beliefs
    return beliefs.t().reshape(classes, height, width)


def _features(rgb: Tensor, settings: CrfSettings) -> Tensor:
    """(5, H · W) float32: red, green, blue, column and row of every pixel in standard deviations."""
    height, width = rgb.shape[1:]
    features = torch.empty(5, height, width, device=rgb.device)
    torch.div(rgb, settings.bilateral_rgb_std, out=features[:3])
    features[3] = torch.arange(width, device=rgb.device) / settings.bilateral_xy_std
    features[4] = torch.arange(height, device=rgb.device)[:, None] / settings.bilateral_xy_std
    return features.flatten(1)


class _SpatialGaussian:
    """The Gaussian of position alone, cut off at 3 standard deviations, normalised symmetrically."""

    def __init__(self, size_hw: tuple[int, int], std: float, device: torch.device) -> None:
        self.radius = math.ceil(3 * std)
        self.taps = [math.exp(-((step / std) ** 2) / 2) for step in range(-self.radius, self.radius + 1)]
        kernel = torch.tensor(self.taps).view(1, 1, -1)
        sums = [F.conv1d(torch.ones(1, 1, side), kernel, padding=self.radius).flatten() for side in size_hw]
        self.scale = torch.outer(*sums).rsqrt_().unsqueeze(2).to(device)  # D^-1/2: (H, W, 1)

    def blurred(self, maps: Tensor, rows: slice) -> Tensor:
        """Those rows of maps (H, W, C) filtered, as (rows · W, C)."""
        top, bottom = max(0, rows.start - self.radius), min(len(maps), rows.stop + self.radius)
        scaled = maps[top:bottom] * self.scale[top:bottom]
        above, below = top - rows.start + self.radius, rows.stop + self.radius - bottom
        blurred = F.pad(scaled, (0, 0, self.radius, self.radius, above, below))
        for dim, length in enumerate((rows.stop - rows.start, maps.shape[1])):
            blurred = self._along(blurred, dim, length)
        return blurred.mul_(self.scale[rows]).flatten(0, 1)

    def _along(self, padded: Tensor, dim: int, length: int) -> Tensor:
        """Shifted additions: in the cache they take a third of the time of a convolution with a group per class."""
        total = padded.narrow(dim, 0, length) * self.taps[0]
        for step, tap in enumerate(self.taps[1:], 1):
            total.add_(padded.narrow(dim, step, length), alpha=tap)
        return total


def _bands(maps: Tensor) -> Iterator[slice]:
    """The rows of maps (H, W, C) float32, few at a time."""
    budget = _BAND_BYTES_CPU if maps.device.type == "cpu" else _BAND_BYTES_GPU
    step = max(1, budget // (4 * maps.shape[1] * maps.shape[2]))
    for top in range(0, len(maps), step):
        yield slice(top, min(top + step, len(maps)))
