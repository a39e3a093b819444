"""Pictures and labels as tensors on the training device, where a loader process cannot be the bottleneck.

A thousand 480x360 pictures take 860 MB; batches are drawn, cropped and coloured on the device (`augment`).
"""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from scipy import ndimage
from torch import Tensor

from segdemo.datasets import Dataset
from segdemo.datasets.street_scenes import street_scene
from segdemo.errors import ImageError
from segdemo.labels import VOID, LabelSpace
from segdemo.sample import Sample

_SMALLEST_INSTANCE = 30  # pixels: smaller connected parts are label noise


@dataclass(frozen=True)
class Pictures:
    """rgb (N, 3, H, W); labels (N, H, W) with VOID; instances (N, H, W) of thing classes, 0 = none; all uint8."""

    rgb: Tensor
    labels: Tensor
    instances: Tensor

    def __len__(self) -> int:
        return len(self.rgb)

    def to(self, device: str) -> "Pictures":
        """The same on another device."""
        return Pictures(self.rgb.to(device), self.labels.to(device), self.instances.to(device))


def from_folder(folder: Dataset, size_hw: tuple[int, int]) -> Pictures:
    """A labelled folder at one size. Instances are the connected parts of thing classes: touching cars are one car."""
    return _stack([_at_size(folder.read(i), folder.space, size_hw) for i in range(len(folder))])


def from_scenes(first_seed: int, count: int, size_hw: tuple[int, int]) -> Pictures:
    """Generated street scenes with exact instances."""
    scenes = (street_scene(first_seed + i, size_hw) for i in range(count))
    return _stack([(s.rgb, s.labels, s.instances.astype(np.uint8)) for s in scenes])


def class_weights(labels: Tensor, num_classes: int, strength: float) -> Tensor:
    """(C,) float32 with mean 1: inverse frequency to the power `strength`; 0 treats all pixels alike."""
    counts = torch.bincount(labels.flatten().long(), minlength=256)[:num_classes].double()
    weights = (counts.sum() / counts.clamp(min=1)) ** strength
    return (weights / weights.mean()).float()


def _at_size(sample: Sample, space: LabelSpace, size_hw: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rgb, labels = sample.image.rgb, sample.labels
    if labels is None:
        raise ImageError(f"{sample.name} has no label map to learn from.")
    if rgb.shape[:2] != size_hw:
        size_wh = size_hw[::-1]
        rgb = np.asarray(Image.fromarray(rgb).resize(size_wh, Image.Resampling.BILINEAR))
        labels = np.asarray(Image.fromarray(labels).resize(size_wh, Image.Resampling.NEAREST))
    return rgb, labels, _connected_things(labels, space)


def _connected_things(labels: np.ndarray, space: LabelSpace) -> np.ndarray:
    instances = np.zeros(labels.shape, np.uint8)
    found = 0
    for thing in space.things:
        parts, count = ndimage.label(labels == thing)
        areas = np.bincount(parts.ravel(), minlength=count + 1)
        numbers = np.zeros(count + 1, np.uint8)
        kept = [i for i in range(1, count + 1) if areas[i] >= _SMALLEST_INSTANCE][: VOID - 1 - found]
        numbers[kept] = np.arange(found + 1, found + 1 + len(kept))
        instances += numbers[parts]
        found += len(kept)
    return instances


def _stack(rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Pictures:
    rgb, labels, instances = (np.stack(column) for column in zip(*rows, strict=True))
    return Pictures(
        torch.from_numpy(rgb).permute(0, 3, 1, 2).contiguous(),
        torch.from_numpy(labels),
        torch.from_numpy(instances),
    )
