"""Tiles, flips and scales: do tiles change answers, what does a very large picture take, what do views cost and give?

    python -m benchmarks.tiles [--only agreement cuts segments large views] [--pictures 20] [--side 10000]

Agreement: scenes in tiles, as they are run, against whole at the same scale: how many labels are equal, how many of
each are right, and the same of tiles that are seen one by one, with their time. Cuts: the same of larger pictures, of
which some networks see parts. Segments: the same of Mask R-CNN and Mask2Former, with average precision and panoptic
quality, and on mosaics of four scenes, too. Large: each picture in a process of its own, from its file to its answer;
networks that are no starters are untrained, their weights enlarged so that labels change from place to place. Views:
mean IoU, and the times of the forward passes and in all. No starter was trained or scored on these scenes.
"""

import argparse
import io
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import cast
from unittest import mock

import numpy as np
import torch
from PIL import Image

from segdemo import confusion, devices, images, models
from segdemo.average_precision import average_precision, instance_answers
from segdemo.datasets.street_scenes import Scene, street_scene
from segdemo.datasets.truth import segments_of_instances
from segdemo.evaluate import SCORE_THRESHOLD
from segdemo.extras import Extras
from segdemo.images import InputImage
from segdemo.labels import CAMVID, VOID
from segdemo.matching import count_segments
from segdemo.models import Model, assembling, parts
from segdemo.models.assembling import Looks, SemanticModel, View
from segdemo.models.catalog import CATALOG
from segdemo.models.stages import Stages
from segdemo.models.upsampling import labels_from_probabilities
from segdemo.prediction import Prediction
from segdemo.sample import Sample

SEED = 800_000
VIEWED = ("starter/fcn", "starter/deeplabv3", "starter/segformer")
AGREEING_HW = (960, 1280)
TILES = (512, 640, 768)
CUT_HW = (1920, 2560)
CUT_TILE = 640
FINDING = ("starter/maskrcnn", "starter/mask2former")
LARGE = (
    "starter/fcn",
    "starter/efficientnet_unet",
    *FINDING,
    "torchvision/fcn_resnet101",
    "nvidia/segformer-b0-finetuned-ade-512-512",
    "nvidia/segformer-b5-finetuned-ade-640-640",
    "facebook/mask2former-swin-tiny-coco-panoptic",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=_PARTS, default=list(_PARTS))
    parser.add_argument("--pictures", type=int, default=20)
    parser.add_argument("--side", type=int, default=10_000, help="of the large picture")
    parser.add_argument("--peak", help=argparse.SUPPRESS)  # one model's peak memory on the large picture
    arguments = parser.parse_args()
    if arguments.peak:
        _peak(arguments.peak, arguments.side)
        return
    print(f"{devices.describe('cpu')}, {devices.threads()} threads")
    for part in arguments.only:
        _PARTS[part](arguments.pictures, arguments.side)


def _agreements(pictures: int, _side: int) -> None:
    for key in _semantic_starters():
        agreement(key, AGREEING_HW, TILES, pictures)


def _cuts(pictures: int, _side: int) -> None:
    for key in _semantic_starters():
        agreement(key, CUT_HW, (CUT_TILE,), max(1, pictures // 4))


def _semantic_starters() -> list[str]:
    return [spec.key for spec in CATALOG if spec.source == "starter" and spec.task == "semantic"]


def _segments(pictures: int, _side: int) -> None:
    few, fewer = max(1, pictures // 2), max(1, pictures // 4)
    mosaics = [_mosaic(SEED + 4 * i) for i in range(few)]
    scenes = [_sample(seed, AGREEING_HW) for seed in range(SEED, SEED + few)]
    large = [_sample(seed, CUT_HW) for seed in range(SEED, SEED + fewer)]
    for key in FINDING:
        model = models.load(key, "cpu", score_threshold=SCORE_THRESHOLD)
        for name, samples, tiles in (
            ("mosaics", mosaics, TILES),
            ("scenes", scenes, TILES),
            ("scenes", large, (CUT_TILE,)),
        ):
            print(f"{key}, {len(samples)} {name} of {samples[0].image.size_hw[1]}×{samples[0].image.size_hw[0]}")
            for tile in tiles:
                segments(model, samples, tile)


def _large(_pictures: int, side: int) -> None:
    for key in LARGE:
        command = [sys.executable, "-m", "benchmarks.tiles", "--side", str(side), "--peak", key]
        print(subprocess.run(command, capture_output=True, text=True, check=True).stdout, end="", flush=True)


def _views(pictures: int, _side: int) -> None:
    for key in VIEWED:
        views(key, pictures)


_PARTS = {
    "agreement": _agreements,
    "cuts": _cuts,
    "segments": _segments,
    "large": _large,
    "views": _views,
}


def agreement(key: str, size_hw: tuple[int, int], tiles: Sequence[int], pictures: int) -> None:
    """Print the shares of equal and right labels of each way to look at scenes in tiles, and what it takes."""
    model = cast(SemanticModel, models.load(key, "cpu"))
    scenes = [street_scene(seed, size_hw) for seed in range(SEED, SEED + pictures)]
    truths = [scene.labels for scene in scenes]
    print(f"{key}, {pictures} scenes of {size_hw[1]}×{size_hw[0]}")
    for tile in tiles:
        wholes, _ = _labels(model, scenes, Looks(tile=tile), most_held=sys.maxsize)
        print(f"  tiles of {tile}: right whole {_equal(wholes, truths)[0]:.2f} %")
        for name, looks in (("as they are run", Looks.of(model, tile, size_hw)), ("one by one", Looks(side=tile))):
            found, seconds = _labels(model, scenes, looks)
            (equal, lowest), (right, _) = _equal(found, wholes), _equal(found, truths)
            shares = f"equal {equal:.2f} % (lowest {lowest:.2f} %), right {right:.2f} %"
            print(f"    {name}: {shares}, {seconds:.2f} s a picture", flush=True)


def _equal(some: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> tuple[float, float]:
    """Mean and lowest share in % of equal labels, of the pixels that have one."""
    shares = [100 * np.mean((one == other)[other != VOID]) for one, other in zip(some, others, strict=True)]
    return float(np.mean(shares)), min(shares)


def _labels(
    model: SemanticModel, scenes: Sequence[Scene], looks: Looks, most_held: int = parts.MOST_HELD
) -> tuple[list[np.ndarray], float]:
    """The label maps, and the median seconds for one. most_held: bytes of tensors for an input that is not cut."""
    found, seconds = [], []
    with mock.patch.object(parts, "MOST_HELD", most_held), devices.inference("cpu"):
        for scene in scenes:
            start = time.perf_counter()
            picture = InputImage(scene.rgb, "", "scene")
            bands = assembling.class_probabilities(Stages(model), [picture], looks, [View()])
            found.append(labels_from_probabilities(bands, picture.size_hw)[0][0].numpy())
            seconds.append(time.perf_counter() - start)
    return found, statistics.median(seconds)


def segments(model: Model, samples: Sequence[Sample], tile: int) -> None:
    """Print what a network finds in tiles, as they are run and one by one, and whole at their scale."""
    found, seconds = {}, {}
    memory = {"whole": sys.maxsize, "as they are run": parts.MOST_HELD, "one by one": 0}
    for name, most_held in memory.items():
        most_tiles = sys.maxsize if name == "whole" else parts.MOST_TILES
        with mock.patch.multiple(parts, MOST_HELD=most_held, MOST_TILES=most_tiles):
            start = time.perf_counter()
            found[name] = [models.predict(model, [sample.image], extras=Extras(tile))[0] for sample in samples]
            seconds[name] = (time.perf_counter() - start) / len(samples)
    print(f"  tiles of {tile}")
    for name, answers in found.items():
        pairs = zip(answers, found["whole"], strict=True)
        equal = [100 * np.mean(one.labels == other.labels) for one, other in pairs]
        print(
            f"    {name}: equal {np.mean(equal):.2f} % (lowest {min(equal):.2f} %), "
            f"{_quality(model, samples, answers)}, {seconds[name]:.2f} s a picture",
            flush=True,
        )


def _quality(model: Model, samples: Sequence[Sample], answers: Sequence[Prediction]) -> str:
    pairs = list(zip(samples, answers, strict=True))
    if model.spec.task == "instance":
        compared = [instance_answers(one.segments, found.segments, one.image.size_hw) for one, found in pairs]
        precision = average_precision(compared, len(model.space.classes))
        return f"AP {100 * precision.ap:.1f}, AP50 {100 * precision.ap50:.1f}"
    counted = [count_segments(one, found.segments, model.space) for one, found in pairs]
    together = sum(counted[1:], counted[0])
    right, _ = _equal([found.labels for found in answers], [one.labels for one in samples])
    every, things = (100 * quality.pq for quality in (together.quality(), together.quality(model.space.things)))
    return f"right {right:.2f} %, PQ {every:.1f}, of things {things:.1f}"


def _mosaic(seed: int) -> Sample:
    """Four scenes of 640×480 as one picture."""
    scenes = [street_scene(seed + i, (480, 640)) for i in range(4)]
    counts = np.cumsum([0, *(len(scene.instance_classes) for scene in scenes)])
    numbered = [scene.instances + (scene.instances > 0) * count for scene, count in zip(scenes, counts, strict=False)]
    rgb, labels, instances = (
        np.vstack([np.hstack(parts[:2]), np.hstack(parts[2:])])
        for parts in ([scene.rgb for scene in scenes], [scene.labels for scene in scenes], numbered)
    )
    image = InputImage(rgb, "", str(seed))
    return Sample(str(seed), image, labels, segments_of_instances(instances, labels, CAMVID.things, str(seed)))


def _sample(seed: int, size_hw: tuple[int, int]) -> Sample:
    scene = street_scene(seed, size_hw)
    true = segments_of_instances(scene.instances, scene.labels, CAMVID.things, str(seed))
    return Sample(str(seed), InputImage(scene.rgb, "", str(seed)), scene.labels, true)


def _peak(key: str, side: int) -> None:
    """Print what a process takes for a large picture, from the bytes of its file on."""
    torch.manual_seed(SEED)
    model = models.load(key, "cpu") if key.startswith("starter") else _restless(key)
    file = _large_file(side)
    devices.reset_peak_memory("cpu")
    picture = images.decode(file, "large.jpg", side * side)
    decoded = devices.peak_memory_bytes("cpu") or 0
    devices.reset_peak_memory("cpu")
    start = time.perf_counter()
    [answer], times = models.run_stages(model, [picture])
    seconds, peak = time.perf_counter() - start, devices.peak_memory_bytes("cpu") or 0
    used, classes = Extras().on(picture.size_hw), len(np.unique(answer.labels))
    print(
        f"{key}, {len(model.space.classes)} classes, {side * side / 1e6:.0f} megapixels, {used}: peak of the process "
        f"{peak / 1e9:.2f} GB ({decoded / 1e9:.2f} GB while decoding), {seconds:.0f} s, {times.forward_s:.0f} s of it "
        f"forward, {classes} classes found"
    )


def _large_file(side: int) -> bytes:
    """A JPEG of this size: a scene, repeated."""
    scene = street_scene(SEED, (480, 640)).rgb
    repeated = Image.new("RGB", (side, side))
    for top in range(0, side, 480):
        for left in range(0, side, 640):
            repeated.paste(Image.fromarray(scene), (left, top))
    buffer = io.BytesIO()
    repeated.save(buffer, "JPEG")
    return buffer.getvalue()


def _restless(key: str) -> Model:
    from benchmarks.pipeline import _make_restless

    model = models.load(key, "cpu", weights="untrained")
    _make_restless(model.module)
    return model


def views(key: str, pictures: int) -> None:
    """Print times and mean IoU with each kind of views."""
    model = models.load(key, "cpu")
    kinds = [Extras(), Extras(tta="flip"), Extras(tta="scales")]
    counts = {kind: np.zeros((len(model.space.classes), len(model.space.classes) + 1), np.int64) for kind in kinds}
    seconds: dict[Extras, list[tuple[float, float]]] = {kind: [] for kind in kinds}
    for seed in range(SEED, SEED + pictures):
        scene = street_scene(seed, (480, 640))
        for kind in kinds:
            [found] = models.predict(model, [InputImage(scene.rgb, "", "scene")], extras=kind)
            counts[kind] += confusion.count(scene.labels, found.labels, len(model.space.classes)).counts
            seconds[kind].append((found.times.forward_s, found.times.total_s))
    for kind in kinds:
        forward, total = _ratios(seconds[kind], seconds[kinds[0]])
        mean_iou = confusion.ClassCounts(counts[kind]).mean_iou()
        print(
            f"{key}, {pictures} scenes, {kind or 'one view'}: mean IoU {100 * mean_iou.value:.2f} %, "
            f"forward {forward:.2f} ×, in all {total:.2f} ×",
            flush=True,
        )


def _ratios(some: Sequence[tuple[float, float]], base: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Of medians, of the forward pass and in all."""
    forward, total = (
        statistics.median(one[i] for one in some) / statistics.median(one[i] for one in base) for i in (0, 1)
    )
    return forward, total


if __name__ == "__main__":
    main()
