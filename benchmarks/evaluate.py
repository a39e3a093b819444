"""Images per second of `evaluate` against the bare forward pass, and its peak memory as the data set grows.

    python -m benchmarks.evaluate speed [KEY ...]
    python -m benchmarks.evaluate memory COUNT

speed: JPEG street scenes of 480×360 in a folder, scored by `evaluate` (read, run, count, keep), in turns with a loop
that only runs the model's forward pass on ready tensors of the same sizes: the network as its library calls it, which
in torchvision's semantic ones resizes the logits to the input (a postprocessing step of ours), and up to Mask R-CNN's
small masks.
memory: the peak resident memory of this process over COUNT pictures; run it for several counts and compare.
"""

import argparse
import io
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from segdemo import devices, models
from segdemo.datasets import Dataset, open_dataset
from segdemo.datasets.street_scenes import street_scene
from segdemo.evaluate import evaluate
from segdemo.labels import CAMVID
from segdemo.models.catalog import CATALOG
from segdemo.models.semantic import SemanticModel
from segdemo.results import Results

PICTURES = 40
ROUNDS = 3
DIFFERENT = 20  # drawn scenes; drawing is no part of what is measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "memory"))
    parser.add_argument("rest", nargs="*")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.what == "memory":
            _memory(Path(folder), int(arguments.rest[0]))
        else:
            _speed(Path(folder), arguments.rest or [spec.key for spec in CATALOG if spec.source == "starter"])


def _speed(folder: Path, keys: list[str]) -> None:
    dataset = _write(folder, PICTURES)
    print(f"{devices.describe('cpu')}, fp32, {PICTURES} pictures, median of {ROUNDS} rounds")
    print("model                    forward/s  evaluate/s  ratio")
    for key in keys:
        model = models.load(key, device="cpu")
        bare, whole = [], []
        for n in range(ROUNDS):
            bare.append(_forward(model, dataset))
            whole.append(_evaluate(model, dataset, folder / f"{key.replace('/', '-')}-{n}.sqlite"))
        forward, evaluated = (PICTURES / float(np.median(times)) for times in (bare, whole))
        print(f"{key:24} {forward:9.2f}  {evaluated:10.2f}  {evaluated / forward:5.2f}", flush=True)


def _forward(model: models.Model, dataset: Dataset) -> float:
    inputs = model.preprocess(model.transfer([dataset.read(0).image]))
    forward = model.network.module if isinstance(model, SemanticModel) else model.forward
    with devices.inference(model.device):
        forward(inputs)
        start = time.perf_counter()
        for _ in range(PICTURES):
            forward(inputs)
    return time.perf_counter() - start


def _evaluate(model: models.Model, dataset: Dataset, file: Path) -> float:
    results = Results(file)
    start = time.perf_counter()
    for _ in evaluate(model, dataset, results):
        pass
    return time.perf_counter() - start


def _memory(folder: Path, pictures: int) -> None:
    dataset = _write(folder, pictures)
    model = models.load("starter/deeplabv3", device="cpu")
    devices.reset_peak_memory("cpu")
    for _ in evaluate(model, dataset, Results(folder / "results.sqlite")):
        pass
    print(f"{pictures} pictures: peak {(devices.peak_memory_bytes('cpu') or 0) / 2**20:.0f} MiB")


def _write(folder: Path, pictures: int) -> Dataset:
    """A labelled folder of generated scenes; a few scenes, repeated, are enough to measure with."""
    for part in ("images", "labels"):
        (folder / part).mkdir()
    scenes = [street_scene(seed) for seed in range(min(pictures, DIFFERENT))]
    encoded = [(_encoded(scene.rgb, "JPEG"), _encoded(scene.labels, "PNG")) for scene in scenes]
    for i in range(pictures):
        picture, labels = encoded[i % len(encoded)]
        (folder / "images" / f"{i:05}.jpg").write_bytes(picture)
        (folder / "labels" / f"{i:05}.png").write_bytes(labels)
    classes = [
        {"id": i, "name": name, "color": color}
        for i, (name, color) in enumerate(zip(CAMVID.classes, CAMVID.colors, strict=True))
    ]
    (folder / "classes.json").write_text(json.dumps({"name": "scenes", "ignore_index": 255, "classes": classes}))
    return open_dataset(folder)


def _encoded(pixels: np.ndarray, kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, quality=90)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
