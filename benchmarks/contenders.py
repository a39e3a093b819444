"""Labels from the logits of many classes, only those resized that can win, against all of them resized.

    python -m benchmarks.contenders

Logits of 150 classes on a grid of 128×128 are drawn, smooth from cell to cell: once such that few classes lead at a
place, once such that all are about equal, and once such that many are near the best and the softmax needs most of them.
Times: medians over interleaved rounds. How a trained network's logits are spread is not known here.
"""

import statistics
import time
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor

from segdemo import devices
from segdemo.models.upsampling import labels_from_logits

SPREADS = {"few classes lead": 10.0, "all about equal": 0.05, "many are near": 3.0}
SIZES = ((768, 1024), (3000, 4000))
ROUNDS = 3
CHOICE = "segdemo.models.upsampling.blocks_of_contenders"  # where the way is chosen


def main() -> None:
    print(f"{devices.describe('cpu')}, {devices.threads()} threads, medians of {ROUNDS} rounds")
    for name, spread in SPREADS.items():
        coarse = torch.randn(1, 150, 20, 20, generator=torch.Generator().manual_seed(0)) * spread
        logits = F.interpolate(coarse, (128, 128), mode="bicubic")
        for size_hw in SIZES:
            _report(name, logits, size_hw)


def _report(name: str, logits: Tensor, size_hw: tuple[int, int]) -> None:
    ours, all_classes = [], []
    for _ in range(ROUNDS):
        chosen, seconds = _timed(logits, size_hw)
        ours.append(seconds)
        with patch(CHOICE, return_value=None):
            plain, seconds = _timed(logits, size_hw)
        all_classes.append(seconds)
    fast, slow = statistics.median(ours), statistics.median(all_classes)
    equal = 100 * (chosen == plain).float().mean().item()
    size, times = f"{size_hw[1]}×{size_hw[0]}", f"all {slow:6.3f} s, ours {fast:6.3f} s"
    print(f"{name:18} {size:10} {times}, {equal:.4f} % equal labels", flush=True)


def _timed(logits: Tensor, size_hw: tuple[int, int]) -> tuple[Tensor, float]:
    start = time.perf_counter()
    with devices.inference("cpu"):
        labels, _ = labels_from_logits(logits, size_hw)
    return labels, time.perf_counter() - start


if __name__ == "__main__":
    main()
