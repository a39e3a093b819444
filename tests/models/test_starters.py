"""The bundled starters do what the app promises of them; their records say how well (benchmarks/starters.py)."""

import json
import shutil

import numpy as np
import pytest

from segdemo import models
from segdemo.confusion import ClassCounts, count
from segdemo.datasets.street_scenes import Scene, street_scene
from segdemo.errors import WeightsError
from segdemo.images import InputImage
from segdemo.models import catalog, weights
from segdemo.models.spec import ModelSpec

STARTERS = [spec for spec in catalog.CATALOG if spec.source == "starter"]
SEEDS = range(800_000, 800_006)  # not among the scenes that the starters learned from


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [street_scene(seed) for seed in SEEDS]


@pytest.mark.parametrize("spec", STARTERS, ids=lambda spec: spec.checkpoint)
def test_a_starter_is_small_and_says_where_it_comes_from(spec: ModelSpec):
    assert weights.state(spec) == "bundled"
    folder = weights.fetch(spec)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 8_000_000
    record = json.loads((folder / "record.json").read_text())
    assert isinstance(record["recipe"]["seed"], int)
    assert record["minutes"] > 0
    assert record["trained_on"]
    assert 0 < record["scores"]["camvid_val_mean_iou"] < 1


@pytest.mark.parametrize("spec", STARTERS, ids=lambda spec: spec.checkpoint)
def test_a_starter_sees_roads_and_cars_in_scenes_it_has_never_met(spec: ModelSpec, scenes: list[Scene]):
    model = models.load(spec.key, device="cpu")
    pictures = [InputImage(scene.rgb, f"{i}", "scene") for i, scene in enumerate(scenes)]
    predictions = models.predict(model, pictures)
    classes = len(spec.space.classes)
    total = ClassCounts(np.zeros((classes, classes + 1), np.int64))
    for scene, prediction in zip(scenes, predictions, strict=True):
        assert prediction.labels.shape == scene.labels.shape
        total = total + count(scene.labels, prediction.labels, classes)
    found = dict(zip(spec.space.classes, total.recall(), strict=True))
    assert found["car"] > 0.5
    if spec.task != "instance":
        assert found["road"] > 0.8
        assert total.mean_iou().value > 0.4
    if spec.task != "semantic":
        assert all(len(prediction.segments) > 0 for prediction in predictions)


@pytest.mark.parametrize("has_them", [True, False])
def test_where_a_cpu_has_instructions_for_bf16_models_use_them_unless_told_otherwise(has_them: bool, monkeypatch):
    monkeypatch.setattr("segdemo.devices.has_fast_bf16", lambda device: has_them)
    precisions = {key: models.load(key, "cpu", "auto").precision for key in ("starter/fcn", "starter/maskrcnn")}
    assert set(precisions.values()) == {"bf16" if has_them else "fp32"}
    assert models.load("starter/fcn", "cpu").precision == "fp32"


@pytest.mark.parametrize("spec", STARTERS, ids=lambda spec: spec.checkpoint)
def test_a_starter_in_its_usual_precision_says_what_it_says_in_fp32(spec: ModelSpec, scenes: list[Scene]):
    if models.usual_precision("cpu") == "fp32":
        pytest.skip("fp32 is this machine's usual precision")
    pictures = [InputImage(scene.rgb, f"{i}", "scene") for i, scene in enumerate(scenes)]
    exact, usual = (models.predict(models.load(spec.key, "cpu", p), pictures) for p in ("fp32", "auto"))
    changed = [np.mean(a.labels != b.labels) for a, b in zip(exact, usual, strict=True)]
    assert np.mean(changed) < 0.005


@pytest.mark.parametrize("spec", STARTERS, ids=lambda spec: spec.checkpoint)
def test_a_starter_answers_pictures_of_any_size_alone_and_together(spec: ModelSpec):
    model = models.load(spec.key, device="cpu")
    rgb = street_scene(800_010, (131, 203)).rgb
    pictures = [InputImage(rgb[: 131 - i, : 203 - 7 * i], str(i), "part") for i in (0, 1)]
    for alone in pictures:
        together = models.predict(model, [alone, alone])
        [prediction] = models.predict(model, [alone])
        assert prediction.labels.shape == alone.size_hw
        assert all((one.labels == prediction.labels).mean() > 0.99 for one in together)


def test_a_damaged_starter_gets_its_sentence(tmp_path, monkeypatch):
    shutil.copytree(weights.STARTERS / "unet", tmp_path / "unet")
    (tmp_path / "unet" / "model.safetensors").write_bytes(b"cut off")
    monkeypatch.setattr(weights, "STARTERS", tmp_path)
    with pytest.raises(WeightsError, match="unet is damaged"):
        models.load("starter/unet", device="cpu")
