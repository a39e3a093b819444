"""Our overlay against torchvision's, at 2 megapixels with 20 classes: `python -m benchmarks.overlay [--rounds N]`.

Both draw by turns in one run, so that the machine's mood meets both; what counts is the ratio of the medians.
torchvision is given its boolean masks ready-made and need not encode; ours blends, outlines and encodes a JPEG: once
at the picture's size, as in the files to download, and once as a page shows it while other models are awaited.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torchvision.utils import draw_segmentation_masks

from segdemo import overlay

HEIGHT, WIDTH, CLASSES = 1080, 1920, 20
PREVIEW_SIDE = 640  # as in segdemo/ui/views.py


def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture, its labels in wavy regions of all classes, and a palette; the same every time."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    wave = np.sin(columns / 130) + np.cos(rows / 90) + columns / WIDTH + rows / HEIGHT
    labels = np.digitize(wave, np.quantile(wave[::8, ::8], np.linspace(0, 1, CLASSES + 1)[1:-1])).astype(np.uint8)
    palette = rng.integers(0, 256, (256, 3), dtype=np.uint8)
    light = 128 + 60 * np.sin(rows / 60)[..., None] + 8 * rng.standard_normal((HEIGHT, WIDTH, 3))
    return light.clip(0, 255).astype(np.uint8), labels, palette


def measure(tasks: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median milliseconds of each task over the rounds, after one round to warm up; the tasks take turns."""
    samples: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds + 1):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            samples[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(values[1:]) for name, values in samples.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rgb, labels, palette = scene()
    picture = torch.from_numpy(rgb).permute(2, 0, 1).contiguous()
    masks = torch.from_numpy(labels)[None] == torch.arange(CLASSES)[:, None, None]
    colors = [tuple(color) for color in palette[:CLASSES].tolist()]

    tasks: dict[str, Callable[[], object]] = {
        "ours: blend": lambda: overlay.blend(rgb, labels, palette),
        "ours: blend, outlines, JPEG": lambda: overlay.encode_jpeg(overlay.blend(rgb, labels, palette, outlines=1)),
        "ours: shrunk to the page's 640 pixels": lambda: overlay.encode_jpeg(
            overlay.blend(*overlay.fit(rgb, labels, PREVIEW_SIDE), palette, outlines=1)
        ),
        "torchvision: draw_segmentation_masks": lambda: draw_segmentation_masks(
            picture, masks, alpha=0.5, colors=colors
        ),
    }
    medians = measure(tasks, parser.parse_args().rounds)
    for name, milliseconds in medians.items():
        print(f"{name:<38}{milliseconds:8.1f} ms")
    _, ours, _, theirs = medians.values()
    print(f"ratio ours (with outlines and JPEG) / torchvision: {ours / theirs:.3f}")


if __name__ == "__main__":
    main()
