"""What half precision changes and what it gains: `python -m benchmarks.precision [--data FOLDER] [KEY ...]`.

Each starter answers the same pictures in fp32 and in bf16: the share of pixels whose label differs, mean IoU of both
(pixels pooled, MMSegmentation's convention), PQ of a panoptic model or mask AP50 of an instance model, and, in turns,
the median times of the forward pass. Pictures: generated scenes that no starter learned from, or a labelled folder.
"""

import argparse
import math
import statistics
from collections.abc import Sequence
from functools import reduce

import numpy as np

from segdemo import devices, models
from segdemo.average_precision import average_precision
from segdemo.class_mapping import mapping
from segdemo.datasets import open_dataset
from segdemo.labels import LabelSpace
from segdemo.models import catalog
from segdemo.sample import Sample
from segdemo.scoring import PictureScores, add, score

SCENES = "street-scenes:20"
PRECISIONS: tuple[models.Precision, models.Precision] = ("fp32", "bf16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=SCENES)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--pictures", type=int, default=1000, help="at most that many")
    parser.add_argument("keys", nargs="*", help="of models; all starters unless told")
    arguments = parser.parse_args()
    dataset, device = open_dataset(arguments.data), devices.choose(arguments.device)
    samples = [dataset.read(i) for i in range(min(len(dataset), arguments.pictures))]
    print(f"{devices.describe(device)}, {devices.threads()} threads, {len(samples)} pictures of {dataset.name}")
    columns = "labels differ %   mean IoU fp32    bf16   segments fp32    bf16   forward ms fp32    bf16  times as fast"
    print(f"{'model':24} {columns}")
    for key in arguments.keys or [spec.key for spec in catalog.CATALOG if spec.source == "starter"]:
        _report(key, device, samples, dataset.space)


def _report(key: str, device: str, samples: Sequence[Sample], space: LabelSpace) -> None:
    pair = [models.load(key, device, precision) for precision in PRECISIONS]
    common = mapping(space, pair[0].space)
    scores: tuple[list[PictureScores], ...] = ([], [])
    seconds: tuple[list[float], ...] = ([], [])
    different = pixels = 0
    for sample in samples:
        labels = []
        for i, model in enumerate(pair):
            [prediction] = models.predict(model, [sample.image])
            labels.append(prediction.labels)
            seconds[i].append(prediction.times.forward_s)
            scores[i].append(score(sample, prediction, model.spec.task, common))
        different += int(np.count_nonzero(labels[0] != labels[1]))
        pixels += labels[0].size
    exact, half = (statistics.median(one) for one in seconds)
    (first, of_segments), (second, of_half) = (_qualities(one, len(common.space.classes)) for one in scores)
    print(
        f"{key:24} {100 * different / pixels:15.3f} {first:15.4f} {second:7.4f} {of_segments:15.4f} {of_half:7.4f}"
        f" {1e3 * exact:17.1f} {1e3 * half:7.1f} {exact / half:14.2f}",
        flush=True,
    )


def _qualities(scores: list[PictureScores], classes: int) -> tuple[float, float]:
    """Mean IoU, then panoptic quality or mask AP50, whichever the model's answers have."""
    total, answers = reduce(add, scores), [one.instances for one in scores if one.instances is not None]
    mean_iou = total.classes.mean_iou().value if total.classes is not None else math.nan
    if total.panoptic is not None:
        return mean_iou, total.panoptic.quality().pq
    return mean_iou, average_precision(answers, classes).ap50 if answers else math.nan


if __name__ == "__main__":
    main()
