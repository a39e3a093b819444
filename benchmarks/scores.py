"""What counting costs: `python -m benchmarks.scores [--rounds N]`.

Label maps of 1920×1080 with 150 classes, in smooth regions as models answer them, and in noise. Ours is `count`, checks
and all. "bare" is one `numpy.bincount` of pairs that were packed beforehand, as uint16 (which it widens itself) and as
int64. torchmetrics' MulticlassJaccardIndex is as it comes, with its checks, given labels as int64 or uint8 tensors and
told, as ours is, which label is void; its compute of the score, under a millisecond, is in it.

All take turns in one run, each in one thread. Times are that thread's CPU time, the least of the rounds: whatever else
the machine does only ever adds.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from scipy.spatial import cKDTree
from torchmetrics.classification import MulticlassJaccardIndex

from segdemo.boundary import count_boundaries
from segdemo.calibration import count_confidence
from segdemo.confusion import count
from segdemo.labels import VOID
from segdemo.object_sizes import count_by_size
from segdemo.significance import bootstrap

LARGE_HW, CLASSES = (1080, 1920), 150
SMALL_HW, SMALL_CLASSES = (360, 480), 11
PICTURES, COMPARED_CLASSES = 5_000, 20


def regions(size_hw: tuple[int, int], classes: int, shift: float) -> np.ndarray:
    """Labels in regions around 400 points, of all classes; another shift moves the borders."""
    rng = np.random.default_rng(0)
    points, ids = rng.random((400, 2)) * size_hw, rng.permutation(np.arange(400) % classes).astype(np.uint8)
    pixels = np.moveaxis(np.indices(size_hw), 0, -1) + shift * np.sin(np.arange(size_hw[1]) / 7)[None, :, None]
    _, nearest = cKDTree(points).query(pixels.reshape(-1, 2))
    return ids[nearest].reshape(size_hw)


def changes(truth: np.ndarray, prediction: np.ndarray) -> float:
    """The share of neighbours in a row whose pair of labels differs."""
    return float(((truth[:, 1:] != truth[:, :-1]) | (prediction[:, 1:] != prediction[:, :-1])).mean())


def noise(size_hw: tuple[int, int], classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels without any order, 70 % of them right."""
    rng = np.random.default_rng(0)
    truth, other = rng.integers(0, classes, (2, *size_hw), dtype=np.uint8)
    return truth, np.where(rng.random(size_hw) < 0.7, truth, other)


def counting(truth: np.ndarray, prediction: np.ndarray) -> dict[str, Callable[[], object]]:
    """The ways to count one pair of large label maps."""
    packed = (truth.astype(np.uint16) << 8 | prediction).ravel()
    widened = packed.astype(np.int64)
    jaccard = MulticlassJaccardIndex(CLASSES, ignore_index=VOID)
    narrow = torch.from_numpy(prediction), torch.from_numpy(truth)
    wide = [labels.long() for labels in narrow]
    return {
        "ours": lambda: count(truth, prediction, CLASSES),
        "bare bincount, uint16": lambda: np.bincount(packed),
        "bare bincount, int64": lambda: np.bincount(widened),
        "torchmetrics, int64": lambda: jaccard(*wide),
        "torchmetrics, uint8": lambda: jaccard(*narrow),
    }


def other_counts() -> dict[str, Callable[[], object]]:
    """What else is counted on a picture, and the comparison of two models over many."""
    truth, prediction = (regions(SMALL_HW, SMALL_CLASSES, shift) for shift in (0, 0.1))
    rng = np.random.default_rng(0)
    confidence = rng.random(SMALL_HW).astype(np.float16)
    tallies = np.sort(rng.integers(0, 20_000, (2, PICTURES, 3, COMPARED_CLASSES)), axis=2)
    return {
        "boundary IoU, 480×360": lambda: count_boundaries(truth, prediction, SMALL_CLASSES),
        "recall by size, 480×360": lambda: count_by_size(truth, prediction, SMALL_CLASSES),
        "calibration, 480×360": lambda: count_confidence(truth, prediction, confidence),
        "bootstrap, 2 × 5,000 × 20": lambda: bootstrap({"a": tallies[0], "b": tallies[1]}),
    }


def measure(tasks: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The least milliseconds of each task after one round to warm up, which it prints too."""
    least = dict.fromkeys(tasks, float("inf"))
    for warm in range(rounds + 1):
        for name, task in tasks.items():
            start = time.thread_time()
            task()
            if warm:
                least[name] = min(least[name], 1e3 * (time.thread_time() - start))
    for name, milliseconds in least.items():
        print(f"  {name:<28}{milliseconds:9.2f} ms")
    return least


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    maps = {
        "regions": (regions(LARGE_HW, CLASSES, 0), regions(LARGE_HW, CLASSES, 0.02)),
        "noise": noise(LARGE_HW, CLASSES),
    }
    for kind, (truth, prediction) in maps.items():
        truth[:20] = VOID
        print(f"1920×1080, {CLASSES} classes, {kind}: {changes(truth, prediction):.1%} of neighbours differ")
        ours, *others = measure(counting(truth, prediction), rounds).values()
        print("  ours / bare bincount: {:.2f} (uint16), {:.2f} (int64)".format(*(ours / other for other in others[:2])))
        print("  torchmetrics / ours: {:.0f} (int64), {:.0f} (uint8)".format(*(other / ours for other in others[2:])))
    print("Other counts")
    measure(other_counts(), rounds)


if __name__ == "__main__":
    main()
