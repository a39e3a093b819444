"""What is kept between clicks: the only `st.cache_*` calls. Keys are strings and numbers, never pixels.

Arguments with a leading underscore are not part of the key. Nothing here draws on the page, so that all of it may run
outside the page's own thread.
"""

import hashlib
import io
import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import streamlit as st
from PIL import Image, ImageOps

from segdemo import agreement as agreements
from segdemo import devices as _devices
from segdemo import images, models, overlay
from segdemo import label_image as label_images
from segdemo.agreement import Agreement, Region
from segdemo.benchmark import REFERENCE, Report, parse
from segdemo.confusion import Convention
from segdemo.datasets import Dataset, open_dataset, open_zip, street_scenes
from segdemo.errors import ImageError, ModelError
from segdemo.extras import Extras
from segdemo.images import InputImage
from segdemo.labels import LabelSpace
from segdemo.models import Model, catalog
from segdemo.models import receptive_field as fields
from segdemo.models import trace as traces
from segdemo.models.trace import Trace
from segdemo.prediction import Prediction
from segdemo.results import FIRST_RUNS, Results
from segdemo.results import Run as StoredRun
from segdemo.sample import Sample
from segdemo.scoreboard import RunScores, compare, gather
from segdemo.scoreboard import confused as find_confused
from segdemo.significance import Interval
from segdemo.ui import pace
from segdemo.ui.jobs import Job
from segdemo.ui.state import MOST_MODELS

_SCENE_HW = (480, 640)
_THUMBNAIL_WH = (176, 132)
_MOST_SENT = 12_000_000  # pixels of a label map for the browser
_REGIONS = 6
_QUICK_S = 1.5  # a model that answers within this time is run twice, so that its times are warm ones


@dataclass
class Loaded:
    """A model, and whether it has answered since it was loaded: the first answer pays for memory and kernels."""

    model: Model
    warm: bool = False


@dataclass(frozen=True)
class Run:
    """An answer, where it came from, and whether its times are those of a warm model."""

    prediction: Prediction
    device: str
    precision: str
    warm: bool


@st.cache_data(show_spinner=False)
def devices() -> tuple[str, ...]:
    """The devices of this machine, the fastest first; that one is called "auto", so that it can be used unseen."""
    return ("auto", *_devices.available()[1:])


@st.cache_data(show_spinner=False)
def device_name(device: str) -> str:
    """A device's name for people."""
    return _devices.describe(_devices.choose(device))


@st.cache_data(show_spinner=False)
def precisions(device: str) -> list[str]:
    """The precisions that a device can run, "auto" first."""
    chosen = _devices.choose(device)

    def runs(precision: str) -> bool:
        try:
            _devices.check_precision(chosen, precision)
        except ModelError:
            return False
        return True

    return ["auto", *filter(runs, _devices.PRECISIONS)]


@st.cache_data(max_entries=256, show_spinner=False)
def digest(file_id: str, _data: bytes) -> str:
    """SHA-256 of an upload; `file_id` is the server's own random name for it."""
    return hashlib.sha256(_data).hexdigest()


@st.cache_resource(max_entries=4, show_spinner=False)
def decoded(digest: str, name: str, _data: bytes) -> InputImage:
    """An uploaded picture, shared rather than copied at every look: its pixels are read-only. Raises `ImageError`."""
    return images.decode(_data, name)


@st.cache_data(max_entries=16, show_spinner=False)
def scene(seed: int) -> street_scenes.Scene:
    """A generated scene with its labels."""
    return street_scenes.street_scene(seed, _SCENE_HW)


def scene_image(seed: int, name: str) -> InputImage:
    """A generated scene as a picture."""
    rgb = scene(seed).rgb
    return InputImage(rgb, hashlib.sha256(rgb.tobytes()).hexdigest(), name)


@st.cache_data(max_entries=128, show_spinner=False)
def thumbnail(picture_id: str, name: str, _image: Callable[[], InputImage]) -> bytes | ImageError:
    """A small JPEG of a picture, cut to one shape for all, or why it cannot be read: that never changes."""
    try:
        rgb = _image().rgb
    except ImageError as error:
        return error
    small = ImageOps.fit(Image.fromarray(rgb), _THUMBNAIL_WH)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=85)
    return file.getvalue()


@st.cache_resource(max_entries=8, show_spinner=False)
def shrunk(picture_id: str, most_side: int, _image: Callable[[], InputImage]) -> InputImage:
    """A picture with no side longer than `most_side`, averaged over areas."""
    image = _image()
    rgb, _ = overlay.fit(image.rgb, np.zeros(image.size_hw, np.uint8), most_side)
    return InputImage(rgb, f"{image.digest}-{most_side}", image.name)


@st.cache_resource(
    max_entries=MOST_MODELS,
    show_spinner=False,
    on_release=lambda loaded: _devices.free_memory(loaded.model.device),
)
def model(key: str, device: str, precision: models.PrecisionChoice, _job: Job) -> Loaded:
    """A loaded model, shared by all visitors. Raises `ModelError`, which is not kept."""
    work = ("load", key, device, precision)
    imports_s = pace.imports_s(catalog.find(key))
    _job.begin("Loading the model", imports_s or pace.usual_s(*work))
    loaded = Loaded(models.load(key, device, precision, progress=_job.report))
    if not imports_s:
        pace.remember(_job.elapsed_s(), *work)
    return loaded


@st.cache_data(max_entries=64, show_spinner=False)
def run(
    picture_id: str,
    key: str,
    device: str,
    precision: models.PrecisionChoice,
    extras: Extras,
    _image: InputImage,
    _job: Job,
) -> Run:
    """A model's answer for a picture. Raises `ModelError`, which is not kept.

    The first answer after loading is slower than all others. A quick model therefore runs a second time; a slow one
    does not make a person wait twice, and its times are marked.
    """
    loaded = model(key, device, precision, _job)
    size = round(math.log2(_image.rgb.size))  # pictures of half and of double the pixels take about as long
    work = ("run", key, device, precision, extras, size)
    _job.begin("Looking at the picture", pace.usual_s(*work))
    [prediction] = models.predict(loaded.model, [_image], extras=extras)
    if not loaded.warm and prediction.times.total_s < _QUICK_S:
        loaded.warm = True
        [prediction] = models.predict(loaded.model, [_image], extras=extras)
    pace.remember(prediction.times.total_s, *work)
    warm, loaded.warm = loaded.warm, True
    return Run(prediction, loaded.model.device, loaded.model.precision, warm)


@st.cache_data(max_entries=24, show_spinner=False)
def receptive_field(
    picture_id: str, key: str, device: str, precision: models.PrecisionChoice, place_yx: tuple[int, int],
    _image: InputImage, _job: Job,
) -> np.ndarray:  # fmt: skip
    """`models.receptive_field` of a model at a place of a picture. Raises `ModelError`, which is not kept."""
    loaded = model(key, device, precision, _job)
    work = ("field", key, device, precision)
    _job.begin(f"{catalog.find(key).title}: following one pixel back", pace.usual_s(*work))
    field = fields.receptive_field(loaded.model, _image, place_yx)
    pace.remember(_job.elapsed_s(), *work)
    return field


@st.cache_data(max_entries=8, show_spinner=False)
def trace(
    picture_id: str, key: str, device: str, precision: models.PrecisionChoice, _image: InputImage, _job: Job
) -> Trace:
    """`models.trace` of a model on a picture. Raises `ModelError`, which is not kept."""
    loaded = model(key, device, precision, _job)
    work = ("trace", key, device, precision)
    _job.begin("Looking at the picture", pace.usual_s(*work))
    traced = traces.trace(loaded.model, _image)
    pace.remember(_job.elapsed_s(), *work)
    return traced


@st.cache_data(max_entries=16, show_spinner=False)
def augmented(
    picture_id: str, seed: int, count: int, _image: InputImage, _labels: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """`training.examples.augmented` of a picture and its labels."""
    from segdemo.training import examples  # imported here: it needs torch, which takes seconds

    return examples.augmented(_image.rgb, _labels, seed, count)


@st.cache_data(max_entries=16, show_spinner=False, hash_funcs={LabelSpace: lambda space: space.name})
def label_image(name: str, space: LabelSpace, size_hw: tuple[int, int], data: bytes) -> np.ndarray:
    """A label image in the classes of a label space, (H, W) uint8. Raises `ImageError`."""
    return label_images.decode_labels(data, name, space, size_hw)


def sent_side(size_hw: tuple[int, int]) -> int:
    """The longest side, in pixels, of the label maps that the browser gets for a picture: 12 megapixels at most."""
    height, width = size_hw
    return int(max(height, width) * min(1, math.sqrt(_MOST_SENT / (height * width))))


@st.cache_data(max_entries=32, show_spinner=False)
def viewer_files(
    picture_id: str, key: str, device: str, precision: str, extras: Extras, _prediction: Prediction
) -> tuple[bytes, bytes | None, bytes | None]:
    """An answer for the browser, as PNG files: ids, confidence, and the numbers of objects, where there are any.

    Ids and numbers are of `sent_side`, confidence at the size of the screen, 255 for 1. Where there are more than 255
    objects, a second map stands below the first, of what is to be multiplied by 256.
    """
    labels, confidence = _prediction.labels, _prediction.confidence
    side = sent_side(labels.shape)
    if confidence is not None:
        shrunk = overlay.nearest(confidence, overlay.SCREEN_SIDE)
        confidence = (shrunk.astype(np.float32) * 255 + 0.5).astype(np.uint8)
    numbers = overlay.object_numbers(_prediction)
    if numbers is not None:
        numbers = overlay.nearest(numbers, side)
        planes = [numbers & 255, numbers >> 8] if numbers.max(initial=0) > 255 else [numbers]
        numbers = np.concatenate(planes).astype(np.uint8)
    return overlay.encode_png(overlay.nearest(labels, side)), _png(confidence), _png(numbers)


@st.cache_data(max_entries=128, show_spinner=False)
def agreement(
    picture_id: str,
    keys: tuple[str, str],
    device: str,
    precisions: tuple[str, str],
    extras: tuple[Extras, Extras],
    _first: Prediction,
    _second: Prediction,
) -> Agreement | None:
    """`agreement.compare` of two models' answers for a picture."""
    return agreements.compare(_first, _second)


@st.cache_data(max_entries=32, show_spinner=False)
def regions(
    picture_id: str,
    keys: tuple[str, ...],
    device: str,
    precisions: tuple[str, ...],
    extras: tuple[Extras, ...],
    _predictions: Sequence[Prediction],
) -> list[Region]:
    """`agreement.regions` of models' answers for a picture."""
    return agreements.regions(_predictions, _REGIONS)


def _png(values: np.ndarray | None) -> bytes | None:
    return None if values is None else overlay.encode_png(values)


@st.cache_data(max_entries=16, show_spinner=False)
def screen(picture_id: str, _image: Callable[[], InputImage]) -> bytes:
    """The bare picture at the size of the screen, as a JPEG file."""
    rgb = _image().rgb
    return overlay.encode_jpeg(overlay.fit(rgb, np.zeros(rgb.shape[:2], np.uint8), overlay.SCREEN_SIDE)[0])


@st.cache_data(show_spinner=False)
def starter_record(path: str) -> dict[str, Any]:
    """The record next to a starter's weights; empty where there is none."""
    file = Path(path)
    return json.loads(file.read_text()) if file.is_file() else {}


@st.cache_resource(show_spinner=False)
def results() -> Results:
    """The store of evaluation runs, with those that come with segdemo. Raises `ResultsError`."""
    store = Results()
    store.adopt(FIRST_RUNS)
    return store


@st.cache_resource(max_entries=4, show_spinner=False)
def scenes(count: int) -> Dataset:
    """Generated scenes as a data set."""
    return open_dataset(f"street-scenes:{count}")


@st.cache_resource(max_entries=4, show_spinner=False)
def archive(file_id: str, name: str, _file: BinaryIO) -> Dataset:
    """An uploaded zip archive as a data set. Raises `ImageError`."""
    return open_zip(_file, name)


def folder_of_datasets() -> Path | None:
    """The folder whose data sets the app offers: SEGDEMO_DATASETS, if that is set."""
    named = os.environ.get("SEGDEMO_DATASETS")
    return Path(named).expanduser() if named else None


@st.cache_resource(max_entries=4, show_spinner=False)
def on_disk(path: str) -> Dataset:
    """A data set in the folder of data sets. Raises `ImageError`."""
    return open_dataset(path)


@st.cache_resource(max_entries=16, show_spinner=False)
def run_scores(number: int, _run: StoredRun) -> RunScores:
    """What a finished run counted. Raises `ResultsError`."""
    return gather(results(), _run)


@st.cache_data(max_entries=32, show_spinner=False)
def comparison(
    numbers: tuple[int, ...], convention: Convention, without: frozenset[int], _runs: Sequence[RunScores]
) -> tuple[list[Interval | None], dict[tuple[int, int], Interval]]:
    """`scoreboard.compare` of the runs with these numbers."""
    return compare(_runs, convention, without)


@st.cache_data(max_entries=64, show_spinner=False)
def confused(number: int, truth: int, prediction: int, _run: StoredRun) -> list[tuple[int, str, int]]:
    """`scoreboard.confused` of the run with this number. Raises `ResultsError`."""
    return find_confused(results(), _run, truth, prediction)


@st.cache_resource(max_entries=32, show_spinner=False)
def benchmark(text: str) -> Report:
    """A benchmark from its JSON. Raises `SegdemoError`."""
    return parse(text)


@st.cache_data(show_spinner=False)
def reference_benchmarks() -> dict[str, str]:
    """The benchmarks that come with segdemo, as JSON by the file's name."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(REFERENCE.glob("*.json"))}


def run_name(run: StoredRun) -> str:
    """A stored run for people: "DeepLabV3 starter, fp32, 2026-11-23 14:05 UTC"."""
    day, _, rest = run.started.partition("T")
    extras = f", {run.identity.extras}" if run.identity.extras else ""
    return f"{catalog.title(run.identity.model)}, {run.identity.precision}{extras}, {day} {rest[:5]} UTC"


@st.cache_resource(max_entries=8, show_spinner=False)
def sample(dataset: str, position: int, _dataset: Dataset) -> Sample:
    """A labelled picture; `dataset` is the data set's digest. Raises `ImageError`."""
    return _dataset.read(position)
