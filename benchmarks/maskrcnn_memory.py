"""What Mask R-CNN's pasting takes beside its forward pass, at 12 megapixels: `python -m benchmarks.maskrcnn_memory`.

The network is untrained; the instances pasted are made up, in boxes of 5 to 60 % of the picture's sides. torchvision's
own pasting makes a float32 map of the picture's size for each: 4.8 GB for 100, and as much again to stack them.
"""

import argparse
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from torch.nn import functional as F

from segdemo import devices
from segdemo.images import InputImage
from segdemo.models import load
from segdemo.models.from_torchvision import Detections

SIZE_HW = (3000, 4000)
Result = TypeVar("Result")


def detections(count: int, input_hw: tuple[int, int], device: str) -> Detections:
    """Made-up instances of smooth outline, many small, few large."""
    generator = torch.Generator().manual_seed(0)
    width_height = torch.tensor([input_hw[1], input_hw[0]])
    sides = 0.05 * 12 ** torch.rand(count, 2, generator=generator) * width_height
    corners = torch.rand(count, 2, generator=generator) * (width_height - sides)
    found = {
        "boxes": torch.cat([corners, corners + sides], 1),
        "labels": torch.randint(1, 11, (count,), generator=generator),
        "scores": torch.linspace(1, 0.5, count),
        "masks": F.interpolate(torch.rand(count, 1, 3, 3, generator=generator), 28, mode="bilinear"),
    }
    return Detections([{name: value.to(device) for name, value in found.items()}], input_hw)


def peak_mb(device: str, work: Callable[[], Result]) -> tuple[float, Result]:
    """The peak of `work` above what was in use before, in MB, and its result."""
    devices.reset_peak_memory(device)
    before = devices.peak_memory_bytes(device) or 0
    result = work()
    devices.synchronise(device)
    return ((devices.peak_memory_bytes(device) or 0) - before) / 1e6, result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detections", type=int, default=100)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    model = load("torchvision/maskrcnn_resnet50_fpn", arguments.device, weights="untrained")
    image = InputImage(np.random.default_rng(0).integers(0, 256, (*SIZE_HW, 3), np.uint8), "", "noise")
    with devices.inference(model.device):
        preprocess, inputs = peak_mb(model.device, lambda: model.preprocess(model.transfer([image])))
        found = detections(arguments.detections, inputs.image_sizes[0], model.device)
        # Pasted before the forward pass: the memory that it leaves behind in the allocator would hide some of this.
        postprocess, [answer] = peak_mb(model.device, lambda: model.postprocess(found, SIZE_HW))
        forward, _ = peak_mb(model.device, lambda: model.forward(inputs))
    kept = sum(mask.size for mask in answer.segments.masks) / 1e6
    print(f"preprocess  {preprocess:6.0f} MB")
    print(f"forward     {forward:6.0f} MB")
    print(f"postprocess {postprocess:6.0f} MB for {len(answer.segments)} instances, {kept:.0f} MB of them masks")


if __name__ == "__main__":
    main()
