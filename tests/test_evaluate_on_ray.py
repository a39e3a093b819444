"""On a real cluster of Ray's, of this machine alone, with real workers: what they load cannot be faked from here."""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from itertools import islice
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from PIL import Image

from segdemo import models
from segdemo.__main__ import main
from segdemo.datasets import open_dataset
from segdemo.errors import ModelError, SegdemoError, WeightsError
from segdemo.evaluate import evaluate
from segdemo.evaluate_on_ray import cluster, evaluate_on_ray
from segdemo.models.catalog import find
from segdemo.results import Results

FCN = find("starter/fcn")
LIMIT_S = 300  # of a test: a cluster waits without end for what it lacks


@pytest.fixture(autouse=True)
def ends_in_time() -> Iterator[None]:
    def stop(*_):
        raise TimeoutError

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT_S)
    yield
    signal.alarm(0)


@pytest.fixture(scope="session")
def connected() -> Iterator[None]:
    ray = pytest.importorskip("ray")
    small = partial(ray.init, num_cpus=2, num_gpus=0, object_store_memory=200 << 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        with mock.patch("ray.init", small), cluster():
            yield


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results.sqlite")


def on_ray(source: str, results: Results, **options):
    return evaluate_on_ray(FCN, open_dataset(source), source, results, **options)


def serially(source: str, results: Results):
    return evaluate(models.load(FCN.key, "cpu"), open_dataset(source), results)


def pictures(results: Results):
    [run] = results.runs()
    assert run.finished
    return list(results.pictures(run))


@pytest.mark.usefixtures("connected")
def test_it_goes_on_with_an_interrupted_serial_run_to_the_same_counts(results: Results, tmp_path: Path):
    source = "street-scenes:6"
    running = serially(source, results)
    list(islice(running, 3))
    running.close()

    assert [progress.done for progress in on_ray(source, results)] == [2, 3, 4, 5, 6]

    whole = Results(tmp_path / "whole.sqlite")
    list(serially(source, whole))
    assert pictures(results) == pictures(whole)


@pytest.mark.usefixtures("connected")
def test_the_serial_run_goes_on_with_an_interrupted_one_of_its(results: Results, tmp_path: Path):
    source = "street-scenes:9"
    running = on_ray(source, results)
    done = [progress.done for progress in islice(running, 4)]
    running.close()

    assert done == [0, 1, 2, 3]
    assert [progress.done for progress in serially(source, results)] == [3, 4, 5, 6, 7, 8, 9]

    whole = Results(tmp_path / "whole.sqlite")
    list(serially(source, whole))
    assert pictures(results) == pictures(whole)


@pytest.mark.usefixtures("connected")
def test_the_command_says_the_same_of_damaged_pictures_and_scores_the_rest(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr("segdemo.evaluate_on_ray.cluster", lambda address: nullcontext())
    monkeypatch.chdir(tmp_path)  # the workers are elsewhere
    write_folder(tmp_path / "set")
    said = {}
    for engine in ("serial", "ray"):
        monkeypatch.setenv("SEGDEMO_RESULTS", str(tmp_path / f"{engine}.sqlite"))
        words = ["--model", FCN.key, "--device", "cpu", "--json", f"{engine}.json"]
        assert main(["evaluate", "set", *words, "--engine", engine]) == 1
        said[engine] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("segdemo: ")]

    assert said["ray"] == said["serial"]
    assert "damaged.png" in said["ray"][0]
    report = json.loads(Path("ray.json").read_text())
    assert report == json.loads(Path("serial.json").read_text())
    assert (report["images"], report["skipped"]) == (3, 1)


@pytest.mark.usefixtures("connected")
def test_an_error_of_a_worker_arrives_as_its_sentence(results: Results, monkeypatch):
    monkeypatch.setattr("segdemo.models.weights.fingerprint", lambda spec: "0123")

    with pytest.raises(WeightsError, match=r"has other weights of starter/fcn \(\w+\) than this machine \(0123\)") as e:
        list(on_ray("street-scenes:1", results))
    assert "\n" not in str(e.value)


@pytest.mark.usefixtures("connected")
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"device": "cuda"}, "has no GPU"),
        ({"device": "cuda:1"}, "choose one of: auto, cpu, cuda"),
        ({"precision": "fp16"}, "fp16 runs on GPUs only"),
    ],
)
def test_what_the_cluster_cannot_do_is_told_before_anything_is_kept(options, sentence, results: Results):
    with pytest.raises(ModelError, match=sentence):
        list(on_ray("street-scenes:1", results, **options))
    assert results.runs() == []


def test_without_ray_one_sentence_says_what_to_install(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setenv("SEGDEMO_RESULTS", str(tmp_path / "results.sqlite"))

    assert main(["evaluate", "street-scenes:1", "--model", FCN.key, "--engine", "ray"]) == 1

    [line] = capsys.readouterr().err.splitlines()
    assert line == "segdemo: --engine ray: ray is not installed; run `pip install -r requirements-ray.txt`."


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nowhere.invalid:6379"])
def test_a_cluster_that_does_not_answer_is_told_at_once(address: str):
    pytest.importorskip("ray")

    with pytest.raises(SegdemoError, match=f"The Ray cluster {address} cannot be used") as told, cluster(address):
        pass
    assert "\n" not in str(told.value)


def write_folder(folder: Path) -> None:
    """Three labelled pictures, the first of which is cut off."""
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("damaged", "one", "two"):
        Image.fromarray(rng.integers(0, 256, (48, 64, 3), np.uint8)).save(folder / "images" / f"{name}.png")
        Image.fromarray(rng.integers(0, 2, (48, 64), np.uint8)).save(folder / "labels" / f"{name}.png")
    damaged = folder / "images" / "damaged.png"
    damaged.write_bytes(damaged.read_bytes()[:200])
    classes = [{"id": i, "name": name, "color": [i, i, i]} for i, name in enumerate(("road", "sky", "car"))]
    (folder / "classes.json").write_text(json.dumps({"name": "three", "ignore_index": 255, "classes": classes}))
