"""What the dense CRF costs and what it gives: `python -m benchmarks.crf [--seed 800000] [--data FOLDER]`.

Seconds: one generated scene of 1 megapixel (1024×1024) with the probabilities of 11 and of 21 classes, as drawn and
with noise on its colours (standard deviation 10), which scatters the pixels over more of the lattice. By the clock, and
the processor's time of all threads, which other programs disturb less: with OMP_NUM_THREADS=1, what one core needs.

Scores: starters on 20 generated scenes (360×480) that they did not learn from, or on 20 pictures of a labelled folder,
before and after, for several settings: mean IoU and boundary IoU (mean over classes), pixels pooled over all
pictures, and the median of the seconds that a picture took.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

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
    "10 iterations": replace(DEFAULT, iterations=10),
    "DeepLab-LargeFOV's kernels": CrfSettings(bilateral_xy_std=49, bilateral_rgb_std=5, spatial_xy_std=3),
    "spatial kernel alone": replace(DEFAULT, bilateral_weight=0),
    "half the weights": replace(DEFAULT, bilateral_weight=2, spatial_weight=1.5),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--key", nargs="+", default=["starter/fcn", "starter/deeplabv3"])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seed", type=int, default=800_000, help="of the first scene")
    parser.add_argument("--pictures", type=int, default=20)
    parser.add_argument("--data", help="a labelled folder instead of scenes")
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS), choices=SETTINGS)
    parser.add_argument("--rounds", type=int, default=5, help="0: scores alone")
    arguments = parser.parse_args()
    device = devices.choose(arguments.device)
    print(f"{devices.describe(device)}, {devices.threads()} threads, {DEFAULT}")
    for noise in (0, 10) if arguments.rounds else ():
        report_seconds(device, noise, arguments.rounds)
    samples = list(
        _photographs(arguments.data, arguments.pictures)
        if arguments.data
        else _scenes(arguments.seed, arguments.pictures)
    )
    for key in arguments.key:
        print(f"{key}, {len(samples)} pictures, {arguments.data or f'scenes from seed {arguments.seed}'}")
        report_scores(key, device, samples, {name: SETTINGS[name] for name in arguments.settings})


def _scenes(seed: int, number: int) -> Iterator[Labelled]:
    for scene in (street_scene(seed + i, (360, 480)) for i in range(number)):
        yield scene.rgb, scene.labels


def _photographs(folder: str, number: int) -> Iterator[Labelled]:
    """That many, evenly spread over the folder."""
    dataset = open_dataset(folder)
    for index in np.linspace(0, len(dataset) - 1, number).astype(int):
        sample = dataset.read(int(index))
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
        _report(f"{classes} classes", device, rounds, partial(refined, probabilities, rgb))
    _report("of it the lattice", device, rounds, lambda: lattice(features(rgb, DEFAULT)))


def _report(name: str, device: str, rounds: int, task: Callable[[], object]) -> None:
    """Print median seconds, by the clock and of the processor, of the rounds after one to warm up."""
    samples = []
    for _ in range(rounds + 1):
        start, worked = time.perf_counter(), time.process_time()
        task()
        devices.synchronise(device)
        samples.append((time.perf_counter() - start, time.process_time() - worked))
    clock, processor = (statistics.median(values) for values in zip(*samples[1:], strict=True))
    print(f"  {name:18s} {clock:7.3f} s by the clock, {processor:7.3f} s of the processor", flush=True)


def report_scores(key: str, device: str, samples: Iterable[Labelled], chosen: dict[str, CrfSettings]) -> None:
    """Print the scores of a starter before and after."""
    answers = list(_answers(key, device, samples))
    before = _Tally()
    for truth, probabilities, _ in answers:
        before.add(truth, probabilities)
    print(f"  {'without':28s} mean IoU {before.mean_iou():.4f}         boundary IoU {before.boundary_iou():.4f}")
    for name, settings in chosen.items():
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
