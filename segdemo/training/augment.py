"""Random crops, flips, tilts, light and weather for whole batches on the device.

A model that has seen one camera on one drive must not learn that camera's colours and horizon by heart.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from segdemo.labels import VOID
from segdemo.training.data import Pictures

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def batch(
    pictures: Pictures, chosen: Tensor, crop_hw: tuple[int, int], zoom: tuple[float, float]
) -> tuple[Tensor, Tensor, Tensor]:
    """Augmented pictures (B, 3, h, w) float32 normalised, labels (B, h, w) int64 and instances (B, h, w) int64."""
    rgb = pictures.rgb[chosen].float() / 255
    ids = torch.stack([pictures.labels[chosen], pictures.instances[chosen]], 1).float()
    grid = _random_grid(len(chosen), rgb.shape[-2:], crop_hw, zoom, rgb.device)
    rgb = F.grid_sample(rgb, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    # Zero padding means "outside the picture": labels shift by one so that it can be told from class 0.
    ids[:, 0] = (ids[:, 0] + 1) % 256
    ids = F.grid_sample(ids, grid, mode="nearest", padding_mode="zeros", align_corners=False).long()
    labels = torch.where(ids[:, 0] == 0, VOID, ids[:, 0] - 1)
    return normalise(_recolour(rgb)), labels, ids[:, 1]


def mix(rgb: Tensor, labels: Tensor, instances: Tensor, share: float) -> tuple[Tensor, Tensor, Tensor]:
    """Paste about half of the classes of another crop of the batch over a `share` of the crops.

    ClassMix (https://arxiv.org/abs/2007.07936) on true labels: small networks learn the things, not where they stood.
    Pasted instances get numbers from 256 on.
    """
    other = torch.randperm(len(rgb), device=rgb.device)
    pasted = torch.rand(len(rgb), 256, device=rgb.device) < 0.5
    pasted &= torch.rand(len(rgb), 1, device=rgb.device) < share
    pasted[:, VOID] = False
    here = pasted.gather(1, labels[other].flatten(1)).view_as(labels)
    from_other = torch.where(instances[other] > 0, instances[other] + 256, 0)
    return (
        torch.where(here[:, None], rgb[other], rgb),
        torch.where(here, labels[other], labels),
        torch.where(here, from_other, instances),
    )


def normalise(rgb: Tensor) -> Tensor:
    """ImageNet's mean and standard deviation, which every backbone of the catalogue expects."""
    mean, std = (torch.tensor(v, device=rgb.device).view(3, 1, 1) for v in (MEAN, STD))
    return (rgb - mean) / std


def _random_grid(
    n: int, size_hw: torch.Size, crop_hw: tuple[int, int], zoom: tuple[float, float], device: torch.device
) -> Tensor:
    """Sampling grid of a random zoom, aspect, tilt, flip and place per picture."""
    low, high = math.log(zoom[0]), math.log(zoom[1])
    scale = torch.exp(_uniform(n, low, high, device))
    aspect = torch.exp(_uniform(n, -0.12, 0.12, device))
    half_h = crop_hw[0] / size_hw[0] / scale / aspect  # half the crop's extent in grid units: 1 spans the picture
    half_w = crop_hw[1] / size_hw[1] / scale * aspect
    centre_y = _uniform(n, -1, 1, device) * (1 - half_h).clamp(min=0)
    centre_x = _uniform(n, -1, 1, device) * (1 - half_w).clamp(min=0)
    flip = torch.where(torch.rand(n, device=device) < 0.5, -1.0, 1.0)
    angle = _uniform(n, -0.07, 0.07, device)
    ratio = size_hw[0] / size_hw[1]
    rows = [
        torch.stack([half_w * flip * angle.cos(), -half_h * angle.sin() * ratio, centre_x], 1),
        torch.stack([half_w * flip * angle.sin() / ratio, half_h * angle.cos(), centre_y], 1),
    ]
    return F.affine_grid(torch.stack(rows, 1), [n, 3, *crop_hw], align_corners=False)


def _recolour(rgb: Tensor) -> Tensor:
    """Exposure, contrast, colour cast, saturation, gamma, a light gradient, blur and noise, drawn for each picture."""
    n, device = len(rgb), rgb.device

    def draw(low: float, high: float, channels: int = 1) -> Tensor:
        return _uniform(n * channels, low, high, device).view(n, channels, 1, 1)

    rgb = rgb.clamp(min=1e-4) ** torch.exp(draw(-0.45, 0.45))
    rgb = rgb * torch.exp(draw(-0.12, 0.12, channels=3))
    grey = rgb.mean(1, keepdim=True)
    rgb = grey + (rgb - grey) * draw(0.2, 1.6)
    level = rgb.mean((1, 2, 3), keepdim=True)
    rgb = level + (rgb - level) * draw(0.6, 1.4) + draw(-0.15, 0.15)
    slope = torch.linspace(-1, 1, rgb.shape[-1], device=device)
    rgb = rgb * (1 + draw(-0.15, 0.15) * slope)
    blurred = F.avg_pool2d(F.pad(rgb, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    rgb = torch.lerp(rgb, blurred, draw(-0.6, 1.0).clamp(min=0))
    return (rgb + torch.randn_like(rgb) * draw(-0.03, 0.05).clamp(min=0)).clamp(0, 1)


def _uniform(n: int, low: float, high: float, device: torch.device) -> Tensor:
    return torch.rand(n, device=device) * (high - low) + low
