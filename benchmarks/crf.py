"""What the dense CRF costs and what it gives: `python -m benchmarks.crf [--seed 800000] [--data FOLDER]`.

Seconds: one generated scene of 1 megapixel (1024×1024) with the probabilities of 11 and of 21 classes, as drawn and
with noise on its colours (standard deviation 10), which scatters the pixels over more of the lattice. The median of
the rounds, and in brackets the lattice's share, which does not depend on the classes.

Scores: starters on 20 generated scenes (360×480) that they did not learn from, or on a labelled folder of their own
classes, before and after, for several settings: mean IoU and boundary IoU (mean over classes), pixels pooled over all
pictures, and the median of the seconds that a picture took.
"""

import argparse
import statistics
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from segdemo import devices, models
from segdemo.boundary import BoundaryCounts, count_boundaries
from segdemo.confusion import ClassCounts, count
from segdemo.datasets import open_dataset
from segdemo.datasets.street_scenes import street_scene
from segdemo.images import InputImage
from segdemo.models.dense_crf import CrfSettings, features, refined
from segdemo.models.permutohedral import lattice

Labelled = tuple[np.ndarray, np.ndarray]  # rgb (H, W, 3) and labels (H, W), uint8

DEFAULT = CrfSettings()
SETTINGS = {
    "default": DEFAULT,
    "1 iteration": replace(DEFAULT, iterations=1),
    "2 iterations": replace(DEFAULT, iterations=2),
    "10 iterations": replace(DEFAULT, iterations=10),
    "DeepLab-LargeFOV's kernels": CrfSettings(bilateral_xy_std=49, bilateral_rgb_std=5, spatial_xy_std=3),
    "spatial kernel alone": replace(DEFAULT, bilateral_weight=0),
    "half the weights": replace(DEFAULT, bilateral_weight=2, spatial_weight=1.5),
    "half the reach": replace(DEFAULT, bilateral_xy_std=33),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--key", nargs="+", default=["starter/fcn", "starter/deeplabv3"])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seed", type=int, default=800_000, help="of the first scene")
    parser.add_argument("--scenes", type=int, default=20)
    parser.add_argument("--data", help="a labelled folder instead of scenes")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    device = devices.choose(arguments.device)
    print(f"{devices.describe(device)}, {devices.threads()} threads, {DEFAULT}")
    for noise in (0, 10):
        report_seconds(device, noise, arguments.rounds)
    samples = list(_photographs(arguments.data) if arguments.data else _scenes(arguments.seed, arguments.scenes))
    for key in arguments.key:
        print(f"{key}, {len(samples)} pictures, {arguments.data or f'scenes from seed {arguments.seed}'}")
        report_scores(key, device, samples)


def _scenes(seed: int, number: int) -> Iterator[Labelled]:
    for scene in (street_scene(seed + i, (360, 480)) for i in range(number)):
        yield scene.rgb, scene.labels


def _photographs(folder: str) -> Iterator[Labelled]:
    dataset = open_dataset(folder)
    for sample in map(dataset.read, range(len(dataset))):
        if sample.labels is not None:
            yield sample.image.rgb, sample.labels


def report_seconds(device: str, noise: float, rounds: int) -> None:
    """Print what one megapixel takes."""
    draw = torch.Generator().manual_seed(0)
    rgb = torch.tensor(street_scene(0, (1024, 1024)).rgb).permute(2, 0, 1).float()
    rgb = (rgb + noise * torch.randn(rgb.shape, generator=draw)).clamp(0, 255).byte().to(device)
    made = lattice(features(rgb, DEFAULT))
    print(f"1024×1024, noise {noise}: {(len(made.starts) - 2) / rgb[0].numel():.2f} lattice corners a pixel")
    for classes in (11, 21):
        logits = F.interpolate(3 * torch.randn(1, classes, 64, 64, generator=draw), rgb.shape[1:], mode="bilinear")[0]
        probabilities = logits.softmax(0).to(device)
        samples = [_seconds(probabilities, rgb) for _ in range(rounds + 1)][1:]
        whole, part = (statistics.median(values) for values in zip(*samples, strict=True))
        print(f"  {classes} classes {whole:7.3f} s ({part:.3f} s)", flush=True)


def _seconds(probabilities: Tensor, rgb: Tensor) -> tuple[float, float]:
    """Of all, and of the lattice alone."""
    device = str(rgb.device)
    times = []
    for task in (lambda: refined(probabilities, rgb), lambda: lattice(features(rgb, DEFAULT))):
        devices.synchronise(device)
        start = time.perf_counter()
        task()
        devices.synchronise(device)
        times.append(time.perf_counter() - start)
    return times[0], times[1]


def report_scores(key: str, device: str, samples: Iterable[Labelled]) -> None:
    """Print the scores of a starter before and after."""
    answers = list(_answers(key, device, samples))
    before = _Tally()
    for truth, probabilities, _ in answers:
        before.add(truth, probabilities)
    print(f"  {'without':28s} mean IoU {before.mean_iou():.4f}         boundary IoU {before.boundary_iou():.4f}")
    for name, settings in SETTINGS.items():
        after, seconds = _Tally(), []
        for truth, probabilities, rgb in answers:
            start = time.perf_counter()
            better = refined(probabilities, rgb, settings)
            devices.synchronise(device)
            seconds.append(time.perf_counter() - start)
            after.add(truth, better)
        mean_iou, boundary_iou = after.mean_iou(), after.boundary_iou()
        print(
            f"  {name:28s} mean IoU {mean_iou:.4f} {mean_iou - before.mean_iou():+.4f} boundary IoU {boundary_iou:.4f} "
            f"{boundary_iou - before.boundary_iou():+.4f} {statistics.median(seconds):6.3f} s a picture",
            flush=True,
        )
        if settings == DEFAULT:
            _print_classes(key, before, after)


def _print_classes(key: str, before: "_Tally", after: "_Tally") -> None:
    names = models.catalog.find(key).space.classes
    gains = after.classes.iou() - before.classes.iou()
    print("    IoU by class: " + ", ".join(f"{name} {gain:+.3f}" for name, gain in zip(names, gains, strict=True)))


def _answers(key: str, device: str, samples: Iterable[Labelled]) -> Iterator[tuple[np.ndarray, Tensor, Tensor]]:
    """Each picture's labels, its probabilities (C, H, W), and itself (3, H, W)."""
    model = models.load(key, device)
    with devices.inference(device):
        for rgb, truth in samples:
            pictures = model.transfer([InputImage(rgb, digest="", name="scene")])
            outputs = model.forward(model.preprocess(pictures))
            logits = F.interpolate(outputs.logits, outputs.input_hw, mode="bilinear")
            yield truth, F.interpolate(logits, truth.shape, mode="bilinear")[0].softmax(0), pictures[0]


class _Tally:
    """Counts over pictures."""

    classes: ClassCounts
    boundaries: BoundaryCounts

    def add(self, truth: np.ndarray, probabilities: Tensor) -> None:
        labels = probabilities.argmax(0).to(torch.uint8).cpu().numpy()
        counts = count(truth, labels, len(probabilities))
        outlines = count_boundaries(truth, labels, len(probabilities))
        first = not hasattr(self, "classes")
        self.classes = counts if first else self.classes + counts
        self.boundaries = outlines if first else self.boundaries + outlines

    def mean_iou(self) -> float:
        return self.classes.mean_iou().value

    def boundary_iou(self) -> float:
        return float(np.nanmean(self.boundaries.iou()))


if __name__ == "__main__":
    main()
