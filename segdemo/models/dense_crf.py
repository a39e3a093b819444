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

from segdemo import words
from segdemo.errors import ModelError
from segdemo.models.permutohedral import Lattice, lattice

# What a round adds to a class's logits is at most the sum of both weights, w, times about its largest probability. One
# below 1 / (e · w) everywhere stays small whatever the picture, 0.05 for the weights in use; this is well below that.
_NOTICEABLE: Final = 0.02
# Enough for 12 megapixels of a clean picture with a dozen noticeable classes.
_LARGEST_BYTES: Final = 4 << 30
# A band of rows is passed over about twenty times: on a CPU it should be near the cache's size, yet not so small that
# threads mostly wait for each other, which a busy machine makes long; on a GPU it should fill the device.
_BAND_BYTES_CPU: Final = 8 << 20
_BAND_BYTES_GPU: Final = 256 << 20


@dataclass(frozen=True)
class CrfSettings:
    """How many rounds, and each kernel's weight and standard deviations, in pixels and in colour values of 0 to 255.

    Kernels as DeepLab's authors released them with their ResNet-101 of 2016 (run_densecrf.sh), found on PASCAL VOC's
    pictures of 500×375 pixels; they took 10 rounds.
    Raises `ModelError` for a number of rounds below 1, a weight below 0 and a deviation that is not above 0.
    """

    iterations: int = 5
    bilateral_weight: float = 4.0
    bilateral_xy_std: float = 67.0
    bilateral_rgb_std: float = 3.0
    spatial_weight: float = 3.0
    spatial_xy_std: float = 1.0

    def __post_init__(self) -> None:
        weights = (self.bilateral_weight, self.spatial_weight)
        deviations = (self.bilateral_xy_std, self.bilateral_rgb_std, self.spatial_xy_std)
        sensible = [0 <= weight < math.inf for weight in weights] + [0 < std < math.inf for std in deviations]
        if self.iterations < 1 or not all(sensible):
            raise ModelError(
                f"A CRF takes 1 iteration or more, weights from 0 and standard deviations above 0, not {self}."
            )


@torch.no_grad()
def refined(probabilities: Tensor, rgb: Tensor, settings: CrfSettings = CrfSettings()) -> Tensor:  # noqa: B008 frozen
    """The probabilities of the classes after the CRF.

    probabilities: (C, H, W) float32 that sum to 1 over C. rgb: (3, H, W) uint8, the picture, on the same device.
    Returns (C, H, W) float32 that sum to 1, the same bits for the same input. Classes that have a probability above
    0.02 nowhere keep their share and are not worked on. Raises `ModelError` where it would take more than 4 GiB, which
    depends on size, classes and how restless the picture's colours are, and `ValueError` for other shapes and types.
    """
    if probabilities.dtype != torch.float32 or rgb.dtype != torch.uint8 or rgb.shape != (3, *probabilities.shape[1:]):
        raise ValueError(
            "expected probabilities (C, H, W) float32 and rgb (3, H, W) uint8, "
            f"got {tuple(probabilities.shape)} {probabilities.dtype} and {tuple(rgb.shape)} {rgb.dtype}"
        )
    present = probabilities.amax((1, 2)) > _NOTICEABLE
    if present.all():
        return _mean_field(probabilities, rgb, settings)
    answer = probabilities.clone()
    if present.any():
        noticeable = probabilities[present]
        share = noticeable.sum(0)
        # Where all noticeable classes are 0, what is made of them is, too.
        whole = noticeable / share.clamp(min=torch.finfo(torch.float32).tiny)
        answer[present] = _mean_field(whole, rgb, settings).mul_(share)
    return answer


def _mean_field(probabilities: Tensor, rgb: Tensor, settings: CrfSettings) -> Tensor:
    classes, height, width = probabilities.shape
    bilateral = _lattice(rgb, classes, settings)
    spatial = _SpatialGaussian((height, width), settings.spatial_xy_std, probabilities.device)
    # One row of classes per pixel: the lattice moves whole rows.
    beliefs = probabilities.flatten(1).t().clone(memory_format=torch.contiguous_format)
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
        del table  # before the next one is made
        beliefs, following = following, beliefs
    return beliefs.t().reshape(classes, height, width)


def _lattice(rgb: Tensor, classes: int, settings: CrfSettings) -> Lattice:
    """The bilateral kernel, where it and what follows fit into memory."""
    pixels = rgb[0].numel()
    _check_memory(rgb, 350 * pixels)  # keys, sorted and not, their order, what sorting takes, and the corners' ids
    found = lattice(features(rgb, settings))
    corners = len(found.starts)
    _check_memory(rgb, pixels * (96 + 16 * classes) + corners * (128 + 8 * classes))
    return found


def _check_memory(rgb: Tensor, n_bytes: int) -> None:
    if n_bytes > _LARGEST_BYTES:
        height, width = rgb.shape[1:]
        raise ModelError(
            f"The CRF would take {words.size(n_bytes)} of memory for this picture of {width}×{height}, more than "
            f"{words.size(_LARGEST_BYTES)}; choose a smaller picture or do without the CRF."
        )


def features(rgb: Tensor, settings: CrfSettings) -> Tensor:
    """(5, H · W) float32: red, green, blue, column and row of every pixel in standard deviations."""
    height, width = rgb.shape[1:]
    points = torch.empty(5, height, width, device=rgb.device)
    torch.div(rgb, settings.bilateral_rgb_std, out=points[:3])
    points[3] = torch.arange(width, device=rgb.device) / settings.bilateral_xy_std
    points[4] = torch.arange(height, device=rgb.device)[:, None] / settings.bilateral_xy_std
    return points.flatten(1)


class _SpatialGaussian:
    """The Gaussian of position alone, cut off at 3 standard deviations, normalised symmetrically."""

    def __init__(self, size_hw: tuple[int, int], std: float, device: torch.device) -> None:
        self.radius = min(math.ceil(3 * std), max(size_hw))
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
