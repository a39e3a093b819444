import errno
import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from fakes import MISSING, FakeModels
from PIL import Image

from segdemo import models
from segdemo.__main__ import main
from segdemo.errors import ModelError, WeightsError
from segdemo.models import catalog, weights

FCN, MASKRCNN = "starter/fcn", "starter/maskrcnn"


@pytest.fixture
def fakes(monkeypatch) -> FakeModels:
    fakes = FakeModels()
    monkeypatch.setattr(models, "load", fakes.load)
    return fakes


def picture(path: Path, size: tuple[int, int] = (64, 48)) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (90, 120, 150)).save(path)
    return str(path)


def predict(*images: str, out: Path, keys: tuple[str, ...] = (FCN,)) -> int:
    return main(["predict", *images, "--model", *keys, "--out", str(out), "--device", "cpu"])


def run(*words: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "segdemo", *words], capture_output=True, text=True, timeout=60, **options
    )


def test_models_lists_every_key(capsys):
    assert main(["models"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [spec.key for spec in catalog.CATALOG]


def test_models_as_json_says_what_each_knows_and_where_it_comes_from(capsys):
    assert main(["models", "--json"]) == 0

    record = next(r for r in json.loads(capsys.readouterr().out) if r["key"] == FCN)
    assert record["space"]["classes"][3] == "road"
    assert {"title", "family", "task", "paper", "year", "licence", "download_bytes", "weights"} <= set(record)


def test_listing_and_complaining_load_no_heavy_library():
    script = (
        "import sys\n"
        "from segdemo.__main__ import main\n"
        "main(['models'])\n"
        "main(['predict', 'missing.jpg', '--model', 'starter/fcn', '--out', sys.argv[1]])\n"
        "print({'torch', 'torchvision', 'transformers', 'streamlit', 'pandas'} & set(sys.modules))"
    )

    shown = subprocess.run([sys.executable, "-c", script, os.devnull], capture_output=True, text=True, timeout=60)

    assert shown.stdout.splitlines()[-1] == "set()"


def test_predict_writes_three_files_for_each_picture_and_model(tmp_path, fakes, capsys):
    images = picture(tmp_path / "in" / "one.png"), picture(tmp_path / "in" / "two.jpg", (30, 50))

    assert predict(*images, out=tmp_path / "new" / "out", keys=(FCN, MASKRCNN)) == 0

    names = sorted(path.name for path in (tmp_path / "new" / "out").iterdir())
    assert names == sorted(
        f"{stem}.{key}.{ending}"
        for stem in ("one", "two")
        for key in ("starter-fcn", "starter-maskrcnn")
        for ending in ("labels.png", "overlay.jpg", "json")
    )
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 4
    assert captured.err == ""


def test_the_files_hold_the_models_answer(tmp_path, fakes):
    image = picture(tmp_path / "one.png")

    predict(image, out=tmp_path / "out", keys=(MASKRCNN,))

    labels = np.asarray(Image.open(tmp_path / "out" / "one.starter-maskrcnn.labels.png"))
    assert labels.shape == (48, 64)
    assert (labels[0, 0], labels[-1, 0], labels[-1, -1]) == (0, 1, 3)
    record = json.loads((tmp_path / "out" / "one.starter-maskrcnn.json").read_text())
    assert record["image"]["name"] == "one.png"
    assert len(record["segments"]) == 1
    assert (record["times"]["device"], record["times"]["precision"]) == ("cpu", "fp32")


def test_each_model_is_loaded_once_for_all_pictures(tmp_path, fakes):
    images = [picture(tmp_path / f"{i}.png") for i in range(3)]

    predict(*images, out=tmp_path, keys=(FCN, MASKRCNN, FCN))

    assert [model.spec.key for model in fakes.made] == [FCN, MASKRCNN]


def test_pictures_of_one_name_from_two_folders_do_not_overwrite_each_other(tmp_path, fakes):
    images = picture(tmp_path / "a" / "car.png", (10, 20)), picture(tmp_path / "b" / "car.jpg", (30, 40))

    predict(*images, out=tmp_path / "out")

    sizes = [Image.open(tmp_path / "out" / f"{stem}.starter-fcn.labels.png").size for stem in ("car", "car-2")]
    assert sizes == [(10, 20), (30, 40)]


def test_a_model_that_fails_leaves_the_others_going(tmp_path, fakes, capsys):
    fakes.failing[FCN] = MISSING

    assert predict(picture(tmp_path / "one.png"), out=tmp_path, keys=(FCN, MASKRCNN)) == 1

    assert (tmp_path / "one.starter-maskrcnn.json").exists()
    assert capsys.readouterr().err == f"segdemo: {FCN}: {MISSING}\n"


def test_a_model_that_fails_on_one_picture_goes_on_with_the_next(tmp_path, fakes, monkeypatch, capsys):
    real = models.predict

    def picky(model, images, **settings):
        if images[0].name == "one.png":
            raise ModelError("It does not fit into memory.")
        return real(model, images, **settings)

    monkeypatch.setattr(models, "predict", picky)
    images = picture(tmp_path / "one.png"), picture(tmp_path / "two.png")

    assert predict(*images, out=tmp_path / "out") == 1

    assert sorted(path.name[:3] for path in (tmp_path / "out").iterdir()) == ["two"] * 3
    assert capsys.readouterr().err == f"segdemo: {images[0]}, {FCN}: It does not fit into memory.\n"


def test_pictures_that_cannot_be_read_are_named_and_the_rest_is_done(tmp_path, fakes, capsys):
    good = picture(tmp_path / "good.png")
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "cut.png").write_bytes((tmp_path / "good.png").read_bytes()[:60])
    bad = [str(tmp_path / name) for name in ("missing.jpg", "text.jpg", "empty.png", "cut.png", "")]

    assert predict(*bad, good, out=tmp_path / "out") == 1

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(bad)
    assert lines[0] == f"segdemo: {bad[0]}: No such file or directory"
    assert all(Path(path).name in line for path, line in zip(bad, lines, strict=True))
    assert not any("unexpected" in line for line in lines)
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_no_model_is_loaded_where_there_is_no_picture(tmp_path, fakes, capsys):
    assert predict(str(tmp_path / "missing.jpg"), out=tmp_path) == 1

    assert fakes.made == []


def test_a_folder_that_cannot_be_made_is_named_before_anything_runs(tmp_path, fakes, capsys):
    (tmp_path / "file").write_text("")

    assert predict(picture(tmp_path / "one.png"), out=tmp_path / "file" / "out") == 1

    [line] = capsys.readouterr().err.splitlines()
    assert str(tmp_path / "file" / "out") in line
    assert fakes.made == []


def test_a_full_disk_leaves_no_half_file(tmp_path, fakes, monkeypatch, capsys):
    image = picture(tmp_path / "one.png")

    def full(path, data):
        path.open("wb").close()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)

    assert predict(image, out=tmp_path / "out") == 1

    assert list((tmp_path / "out").iterdir()) == []
    [line] = capsys.readouterr().err.splitlines()
    assert "No space left on device" in line


def test_an_unexpected_error_goes_to_a_log_whose_path_is_told(tmp_path, fakes, monkeypatch, capsys):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    fakes.failing[FCN] = RuntimeError("boom")

    assert predict(picture(tmp_path / "one.png"), out=tmp_path / "out", keys=(FCN, MASKRCNN)) == 1

    [log] = tmp_path.glob("segdemo-*.log")
    assert capsys.readouterr().err == f"segdemo: {FCN}: unexpected RuntimeError; the details are in {log}\n"
    assert "RuntimeError: boom" in log.read_text()
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_an_unknown_device_is_wrong_use(tmp_path, fakes, capsys):
    image = picture(tmp_path / "one.png")

    assert main(["predict", image, "--model", FCN, "--out", str(tmp_path), "--device", "toaster"]) == 2

    [line] = capsys.readouterr().err.splitlines()
    assert "toaster" in line
    assert fakes.made == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "COMMAND"),
        (["guess"], "guess"),
        (["predict", "a.jpg", "--out", "out"], "--model"),
        (["predict", "a.jpg", "--model", FCN], "--out"),
        (["predict", "--model", FCN, "--out", "out"], "IMAGE"),
        (["predict", "a.jpg", "--model", FCN, "--out", "out", "--precision", "int3"], "int3"),
        (["fetch"], "KEY"),
        (["models", "more"], "more"),
    ],
)
def test_wrong_use_says_what_is_wrong(words, said, capsys):
    with pytest.raises(SystemExit) as stop:
        main(words)

    assert stop.value.code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    "words", [["predict", "a.jpg", "--out", "out", "--model", "starter/cat"], ["fetch", "starter/cat"]]
)
def test_an_unknown_key_lists_the_valid_ones(words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(words)

    said = capsys.readouterr().err
    assert stop.value.code == 2
    assert "'starter/cat'" in said
    assert all(spec.key in said for spec in catalog.CATALOG)


def test_fetch_gets_each_model_and_shows_how_far_it_is(monkeypatch, capsys):
    fetched = []

    def fetch(spec, progress):
        fetched.append(spec.key)
        progress(0, 2_000_000)
        progress(2_000_000, 2_000_000)
        return Path("cache", spec.checkpoint)

    monkeypatch.setattr(weights, "fetch", fetch)

    assert main(["fetch", FCN, MASKRCNN, FCN]) == 0

    captured = capsys.readouterr()
    assert fetched == [FCN, MASKRCNN]
    assert captured.out == f"{FCN}: {Path('cache', 'fcn')}\n{MASKRCNN}: {Path('cache', 'maskrcnn')}\n"
    assert "100 %, 2.0 of 2.0 MB" in captured.err


def test_a_fetch_that_fails_leaves_the_others_going(monkeypatch, capsys):
    def fetch(spec, progress):
        if spec.key == FCN:
            raise WeightsError("No network.")
        return Path("cache", spec.checkpoint)

    monkeypatch.setattr(weights, "fetch", fetch)

    assert main(["fetch", FCN, MASKRCNN]) == 1

    captured = capsys.readouterr()
    assert captured.out == f"{MASKRCNN}: {Path('cache', 'maskrcnn')}\n"
    assert captured.err == f"segdemo: {FCN}: No network.\n"


def test_train_is_handed_over_with_its_own_arguments(monkeypatch, capsys):
    from segdemo.training import cli

    seen = []
    monkeypatch.setattr(cli, "run", lambda args: seen.append(args) or 5)

    assert main(["train", "--recipe", "fcn", "--out", "somewhere"]) == 5
    assert seen[0].recipe == "fcn"


def test_a_training_that_cannot_start_says_so_in_one_line(tmp_path, capsys):
    assert main(["train", "--recipe", str(tmp_path / "missing.toml"), "--out", str(tmp_path)]) == 1

    [line] = capsys.readouterr().err.splitlines()
    assert "missing.toml" in line
    assert "unexpected" not in line


def test_as_a_program_it_exits_with_the_same_codes():
    listed, wrong = run("models"), run("predict", "a.jpg")

    assert (listed.returncode, listed.stderr) == (0, "")
    assert FCN in listed.stdout
    assert wrong.returncode == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a named pipe to know when the program waits")
def test_an_interruption_ends_it_quietly(tmp_path):
    pipe = tmp_path / "never.jpg"
    os.mkfifo(pipe)
    words = ["predict", str(pipe), "--model", FCN, "--out", str(tmp_path / "out")]
    process = subprocess.Popen(
        [sys.executable, "-m", "segdemo", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # tests in the background inherit SIG_IGN
    )

    with pipe.open("wb"):  # opens once the program reads at the other end
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)

    assert (process.returncode, out, err) == (130, b"", b"")


def test_a_reader_that_leaves_early_causes_no_trace():
    reading, writing = os.pipe()
    os.close(reading)

    process = subprocess.run(
        [sys.executable, "-m", "segdemo", "models"], stdout=writing, stderr=subprocess.PIPE, timeout=60
    )

    os.close(writing)
    assert (process.returncode, process.stderr) == (1, b"")


@pytest.fixture
def store(tmp_path, monkeypatch) -> Path:
    path = tmp_path / "store" / "results.sqlite"
    monkeypatch.setenv("SEGDEMO_RESULTS", str(path))
    return path


def evaluate(dataset: str | Path, *words: str, keys: tuple[str, ...] = (FCN,)) -> int:
    return main(["evaluate", str(dataset), "--model", *keys, "--device", "cpu", *words])


def test_evaluate_scores_models_side_by_side(tmp_path, fakes, store, capsys):
    files = tmp_path / "scores.json", tmp_path / "classes.csv"

    code = evaluate("street-scenes:3", "--json", str(files[0]), "--csv", str(files[1]), keys=(FCN, "starter/segformer"))

    assert code == 0
    report = json.loads(files[0].read_text())
    assert (report["images"], report["skipped"], report["convention"]) == (3, 0, "mmsegmentation")
    assert [row["model"] for row in report["models"]] == [FCN, "starter/segformer"]
    assert len(files[1].read_text().splitlines()) == 1 + 2 * 11
    shown = capsys.readouterr()
    assert "3 generated street scenes" in shown.out
    assert f"{100 * report['models'][0]['mean_iou']:.1f} %" in shown.out
    assert "3 of 3 pictures" in shown.err


def test_evaluate_again_under_another_convention_runs_no_model(fakes, store, capsys):
    assert evaluate("street-scenes:2", "--limit", "1") == 0
    assert evaluate("street-scenes:2", "--limit", "1", "--convention", "per_image") == 0

    assert [len(model.looked_at) for model in fakes.made] == [1, 0]


def test_evaluate_tells_of_each_picture_it_skipped_and_scores_the_rest(tmp_path, fakes, store, capsys):
    (tmp_path / "set" / "labels").mkdir(parents=True)
    classes = [{"id": i, "name": f"c{i}", "color": [i, i, i]} for i in range(3)]
    classes[0]["name"] = "road"
    (tmp_path / "set" / "classes.json").write_text(json.dumps({"name": "s", "ignore_index": 3, "classes": classes}))
    for name in ("good", "small", "alone"):
        picture(tmp_path / "set" / "images" / f"{name}.png")
    Image.new("L", (64, 48), 1).save(tmp_path / "set" / "labels" / "good.png")
    Image.new("L", (9, 9), 1).save(tmp_path / "set" / "labels" / "small.png")

    code = evaluate(tmp_path / "set")

    shown = capsys.readouterr()
    lines = [line for line in shown.err.splitlines() if line.startswith("segdemo: ")]
    assert code == 1
    assert len(lines) == 2
    assert "alone.png has no label image" in lines[0]
    assert "small" in lines[1]
    assert "64" in lines[1]
    assert "2 pictures" in shown.out


@pytest.mark.parametrize(
    ("dataset", "sentence"),
    [("missing", "is not there"), ("street-scenes:0", "write street-scenes:COUNT:SEED")],
)
def test_evaluate_names_a_data_set_that_cannot_be_used(dataset, sentence, fakes, store, capsys):
    assert evaluate(dataset) == 1

    assert sentence in capsys.readouterr().err
    assert fakes.made == []


def test_evaluate_goes_on_with_the_other_models_where_one_fails(fakes, store, capsys):
    fakes.failing[FCN] = MISSING

    assert evaluate("street-scenes:1", keys=(FCN, MASKRCNN)) == 1

    shown = capsys.readouterr()
    assert str(MISSING) in shown.err
    assert MASKRCNN in shown.out


def test_evaluate_refuses_a_cluster_that_nothing_would_run_on(fakes, store, capsys):
    assert evaluate("street-scenes:1", "--ray-address", "auto") == 2

    assert capsys.readouterr().err == "segdemo: --ray-address is of use with --engine ray only.\n"
    assert fakes.made == []


@pytest.mark.parametrize("words", [["--limit", "0"], ["--convention", "mine"], ["--engine", "steam"]])
def test_evaluate_refuses_wrong_use(words, store):
    with pytest.raises(SystemExit) as ended:
        evaluate("street-scenes:1", *words)
    assert ended.value.code == 2


def test_extras_are_carried_out_and_written_down(tmp_path, fakes):
    image = picture(tmp_path / "one.png", (200, 100))
    words = ["--tile", "64", "--tta", "flip", "--refine", "none", "--device", "cpu"]
    assert main(["predict", image, "--model", FCN, "--out", str(tmp_path), *words]) == 0
    record = json.loads((tmp_path / "one.starter-fcn.json").read_text())
    assert record["extras"] == {"tile": 64, "tta": "flip", "refine": "none"}
    assert len(fakes.looked_at()) == 2 * 2 * 4  # views of 2 by 4 tiles


def test_extras_that_a_model_cannot_have_are_told_and_the_others_run(tmp_path, fakes, capsys):
    image = picture(tmp_path / "one.png")
    assert main(["predict", image, "--model", MASKRCNN, FCN, "--out", str(tmp_path), "--tta", "scales"]) == 1
    assert f"{MASKRCNN} gives instance segments" in capsys.readouterr().err
    assert [key for key, _ in fakes.looked_at()] == 3 * [FCN]


def test_evaluations_with_extras_are_runs_of_their_own(tmp_path, fakes, monkeypatch):
    monkeypatch.setenv("SEGDEMO_RESULTS", str(tmp_path / "results.sqlite"))
    words = ["evaluate", "street-scenes:2", "--model", FCN, "--device", "cpu", "--json", str(tmp_path / "scores.json")]
    assert main(words) == 0
    assert main([*words, "--tile", "448"]) == 0
    [scores] = json.loads((tmp_path / "scores.json").read_text())["models"]
    assert scores["extras"] == {"tile": 448, "tta": "none", "refine": "none"}
    from segdemo.results import Results

    assert [str(run.identity.extras) for run in Results().runs()] == ["tile 448", ""]


@pytest.mark.parametrize("wrong", [["--tile", "100"], ["--tile", "big"], ["--tta", "spin"], ["--refine", "magic"]])
@pytest.mark.parametrize("command", [["predict", "a.jpg", "--out", "out"], ["evaluate", "data"], ["benchmark"]])
def test_extras_that_make_no_sense_are_wrong_use(command, wrong, capsys):
    with pytest.raises(SystemExit) as end:
        main([*command, "--model", FCN, *wrong])
    assert end.value.code == 2
    assert wrong[0] in capsys.readouterr().err
