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
from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from segdemo.models.permutohedral import lattice

_NOTICEABLE: Final = 0.02


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
    taps, scale = _spatial_kernel(settings.spatial_xy_std, (height, width), probabilities.device)
    # One row per pixel: the lattice moves whole rows.
    beliefs = probabilities.flatten(1).t().contiguous()
    unary = beliefs.clamp(min=torch.finfo(torch.float32).tiny).log_()
    for _ in range(settings.iterations):
        logits = bilateral.filtered(beliefs)
        torch.add(unary, logits, alpha=settings.bilateral_weight, out=logits)
        logits.addcmul_(_convolved(beliefs.mul_(scale), taps, (height, width)), scale, value=settings.spatial_weight)
        beliefs = torch.softmax(logits, 1)
    return beliefs.t().reshape(classes, height, width)


def _features(rgb: Tensor, settings: CrfSettings) -> Tensor:
    """(5, H · W) float32: red, green, blue, column and row of every pixel in standard deviations."""
    height, width = rgb.shape[1:]
    features = torch.empty(5, height, width, device=rgb.device)
    torch.div(rgb, settings.bilateral_rgb_std, out=features[:3])
    features[3] = torch.arange(width, device=rgb.device) / settings.bilateral_xy_std
    features[4] = torch.arange(height, device=rgb.device)[:, None] / settings.bilateral_xy_std
    return features.flatten(1)


def _spatial_kernel(std: float, size_hw: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    """The taps of a Gaussian (2 · radius + 1,), and D^-1/2 of the picture's pixels (H · W, 1)."""
    radius = math.ceil(3 * std)
    taps = torch.arange(-radius, radius + 1, device=device).float().div_(std).square_().mul_(-0.5).exp_()
    sums = [F.conv1d(taps.new_ones(1, 1, side), taps.view(1, 1, -1), padding=radius).flatten() for side in size_hw]
    return taps, torch.outer(*sums).rsqrt_().view(-1, 1)


def _convolved(rows: Tensor, taps: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Rows (H · W, C) as a picture, convolved with the taps in both directions, nothing around it; a new (H · W, C)."""
    classes, radius = rows.shape[1], len(taps) // 2
    maps = rows.view(1, *size_hw, classes).permute(0, 3, 1, 2)
    for shape, padding in (((1, -1), (0, radius)), ((-1, 1), (radius, 0))):
        maps = F.conv2d(maps, taps.view(1, 1, *shape).expand(classes, -1, -1, -1), padding=padding, groups=classes)
    return maps.permute(0, 2, 3, 1).reshape(-1, classes)
