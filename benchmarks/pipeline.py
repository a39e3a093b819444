"""What the way from picture to answer costs beside the library's bare network: ours and transformers', same weights.

    python -m benchmarks.pipeline [--key KEY] [--device cpu] [--size 1024x768 4000x3000] [--rounds 5]

Times: medians over interleaved rounds, so that whatever else the machine does meets all variants alike. Memory: each
variant in a process of its own; what it takes at its peak beyond the bare network on the same picture.
The network is untrained, its weights enlarged so that its labels change from place to place.
"""

import argparse
import copy
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
import transformers
from torch import nn
from transformers.image_processing_utils import BaseImageProcessor

from segdemo import devices, models
from segdemo.images import InputImage
from segdemo.models.architectures import published_configs
from segdemo.models.from_transformers import quicken

VARIANTS = ("network", "our network", "segdemo", "transformers")
THRESHOLD = {"instance": 0.5, "panoptic": 0.8}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--key", default="nvidia/segformer-b0-finetuned-ade-512-512")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--size", nargs="+", default=["1024x768", "4000x3000"], help="width x height of the picture")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peak", choices=VARIANTS, help=argparse.SUPPRESS)  # one variant's peak memory, in bytes
    arguments = parser.parse_args()
    if arguments.peak:
        print(_peak(arguments.key, arguments.device, arguments.size[0], arguments.peak))
        return
    for size in arguments.size:
        report(arguments.key, arguments.device, size, arguments.rounds)


def report(key: str, device: str, size: str, rounds: int) -> None:
    """Print times, ratios to the bare network, agreement and peak memory for one size."""
    ways = _ways(key, device, size)
    labels = {name: way() for name, way in ways.items()}  # warms up, too
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            devices.synchronise(device)
            seconds[name].append(time.perf_counter() - start)
    print(f"{key}, {size}, {devices.describe(device)}, {torch.get_num_threads()} threads, {rounds} rounds")
    bare, least = statistics.median(seconds["network"]), _peak_elsewhere(key, device, size, "network")
    for name, samples in seconds.items():
        median = statistics.median(samples)
        beyond = (_peak_elsewhere(key, device, size, name) - least) / 2**20
        print(f"  {name:14s} {median:8.3f} s  {median / bare:6.2f} x network  {beyond:+8.0f} MiB", flush=True)
    if labels["segdemo"] is not None:
        equal = np.mean(labels["segdemo"] == labels["transformers"])
        print(f"  {100 * equal:.3f} % equal labels, {len(np.unique(labels['segdemo']))} classes in the picture")


def _ways(key: str, device: str, size: str) -> dict[str, Callable[[], np.ndarray | None]]:
    model = models.load(key, device, weights="untrained")
    config, processor = published_configs.find(model.spec)
    library = getattr(transformers, model.spec.architecture)(config).eval().requires_grad_(False)
    _make_restless(library)
    model.network = copy.deepcopy(library)
    quicken(model.network, device)
    for network in (library, model.network):
        network.to(device)
    if device == "cpu":
        model.network.to(memory_format=torch.channels_last)
    width, height = (int(side) for side in size.split("x"))
    image = InputImage(_picture(height, width), digest="", name=size)
    inputs = model.preprocess(model.transfer([image]))

    def bare() -> None:
        with torch.inference_mode():
            library(pixel_values=inputs)

    def ours() -> None:
        with torch.inference_mode():
            model.forward(inputs)

    def segdemo() -> np.ndarray | None:
        [answer], _ = models.run_stages(model, [image])
        return answer.labels if model.spec.task == "semantic" else None

    def pipeline() -> np.ndarray | None:
        with torch.inference_mode():
            pixels = processor(images=[image.rgb], return_tensors="pt", device=device)["pixel_values"]
            return _transformers_labels(processor, model.spec.task, library(pixels), image.size_hw)

    return dict(zip(VARIANTS, (bare, ours, segdemo, pipeline), strict=True))


def _transformers_labels(
    processor: BaseImageProcessor, task: str, outputs: object, size_hw: tuple[int, int]
) -> np.ndarray | None:
    """Class ids where the task is semantic; the other two are compared in tests/models/test_mask_queries.py."""
    if task == "semantic":
        [labels] = processor.post_process_semantic_segmentation(outputs, target_sizes=[size_hw])
        return labels.cpu().numpy()
    process = getattr(processor, f"post_process_{task}_segmentation")
    [found] = process(outputs, threshold=THRESHOLD[task], target_sizes=[size_hw])
    found["segmentation"].cpu()
    return None


def _peak_elsewhere(key: str, device: str, size: str, variant: str) -> int:
    command = [sys.executable, "-m", "benchmarks.pipeline", "--key", key, "--device", device]
    done = subprocess.run([*command, "--size", size, "--peak", variant], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1])


def _peak(key: str, device: str, size: str, variant: str) -> int:
    _ways(key, device, size)[variant]()
    return devices.peak_memory_bytes(device) or 0


def _picture(height: int, width: int) -> np.ndarray:
    coarse = torch.rand(1, 3, 12, 16, generator=torch.Generator().manual_seed(0)) * 255
    smooth = nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    return smooth[0].permute(1, 2, 0).to(torch.uint8).numpy().copy()


@torch.no_grad()
def _make_restless(network: nn.Module) -> None:
    draw = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            deviation = (2 / module.weight[0].numel()) ** 0.5
            module.weight.copy_(torch.randn(module.weight.shape, generator=draw) * deviation)


if __name__ == "__main__":
    main()
