"""A checkpoint that a person brings to the app, to the command line and to an evaluation."""

import json
from pathlib import Path

import numpy as np
import pytest
import transformers as t
from PIL import Image
from streamlit.testing.v1 import AppTest

from segdemo import __main__ as command_line
from segdemo import scoreboard
from segdemo.datasets import open_dataset
from segdemo.evaluate import evaluate
from segdemo.labels import CAMVID, LabelSpace
from segdemo.models import catalog, found, load, web
from segdemo.results import Results
from segdemo.ui import cache, state
from tests.hub_server import HubServer
from tests.models import tiny_networks as tiny

ROOT = Path(__file__).parents[1]
COMPARE = "screens/explore/compare.py"
LEAVES = LabelSpace("leaves", ("soil", "leaf", "<b>stem</b>"), ((0, 0, 0), (0, 255, 0), (0, 0, 255)))


@pytest.fixture(autouse=True)
def server(monkeypatch, tmp_path):
    monkeypatch.setattr(catalog, "_found", {})
    for kept in (cache.model, cache.run, cache.viewer_files):
        kept.clear()
    with HubServer() as server:
        server.use(monkeypatch, tmp_path)
        monkeypatch.setattr(web, "PAUSES_S", (0, 0))
        server.add_repo("acme/leaves", saved(tmp_path / "own" / "leaves", LEAVES), card={"license": "[MIT](http://x)"})
        yield server


def saved(folder, space):
    """A tiny SegFormer's files, in a folder."""
    tiny.tiny_segformer(space).save_pretrained(folder)
    t.SegformerImageProcessor(**tiny.square(64)).save_pretrained(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def opened():
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120).run()
    assert not app.exception
    return app


def written(app):
    kinds = ("subheader", "markdown", "caption", "info", "warning", "error")
    return "\n".join(element.value for kind in kinds for element in app.get(kind))


def press(app, label):
    [button] = [button for button in app.button if button.label == label]
    return button.click().run()


def looked_up(app, text):
    app.text_input(key=state.CHECKPOINT_ID).set_value(text)
    return press(app, "Look it up")


def test_a_typed_id_joins_the_list_and_runs(server):
    app = looked_up(opened(), "acme/leaves")
    said = written(app)
    assert "**leaves** gives a class for every pixel." in said
    assert r"3 classes: soil\, leaf\, \<b\>stem\<\/b\>" in said
    assert r"Weights: 1 MB to download · Licence: \[MIT\]\(http" in said
    assert server.asked("model.safetensors") == []

    app = press(app, "Add to the models")
    assert app.checkbox(key=state.model_key("acme/leaves")).value
    app.segmented_control(key=state.SEGMENT_MODEL).set_value("acme/leaves").run()
    assert not app.exception
    assert not app.error
    assert server.asked("model.safetensors") == [0]
    assert set(app.dataframe[0].value.index) <= {*LEAVES.classes, "unassigned"}

    app.switch_page(COMPARE).run()
    assert not app.exception
    models = json.loads(app.get("bidi_component")[0].proto.json)["models"]
    assert "acme/leaves" in [model["key"] for model in models]


def test_an_own_checkpoint_is_found_again_after_the_process_has_forgotten_it():
    app = press(looked_up(opened(), "acme/leaves"), "Add to the models")
    catalog._found.clear()
    app.run()
    assert catalog.known("acme/leaves") is not None
    assert not app.exception


def test_other_people_do_not_see_it_unless_a_link_names_it():
    press(looked_up(opened(), "acme/leaves"), "Add to the models")
    other = opened()
    assert state.model_key("acme/leaves") not in [box.key for box in other.checkbox]
    linked = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)
    linked.query_params["models"] = "acme/leaves,starter/fcn"
    linked.run()
    assert linked.checkbox(key=state.model_key("acme/leaves")).value
    assert not linked.exception


def test_what_is_refused_is_said_in_its_place():
    app = looked_up(opened(), "acme/<b>nothing")
    [error] = app.error
    assert "is no id of the Hugging Face hub" in error.value
    assert "<b>" not in error.value
    assert "Add to the models" not in [button.label for button in app.button]


def test_the_off_switch_hides_the_form(monkeypatch):
    monkeypatch.setenv("SEGDEMO_ANY_CHECKPOINT", "off")
    app = opened()
    assert not app.text_input
    assert "Look it up" not in [button.label for button in app.button]


def test_the_folder_of_checkpoints_is_chosen_from_not_typed(monkeypatch, tmp_path):
    monkeypatch.setenv("SEGDEMO_CHECKPOINTS", str(tmp_path / "own"))
    app = press(opened(), "Open")
    assert app.selectbox(key=state.CHECKPOINT_NAME).options == ["leaves"]
    app = press(app, "Add to the models")
    assert app.checkbox(key=state.model_key("local/leaves")).value
    assert str(tmp_path) not in written(app)


def test_a_path_in_the_form_is_no_way_to_the_servers_disk(server, tmp_path):
    server.requests.clear()
    app = looked_up(opened(), str(tmp_path / "own" / "leaves"))
    assert "is no id of the Hugging Face hub" in app.error[0].value
    assert server.requests == []


@pytest.fixture
def photo(tmp_path):
    file = tmp_path / "photo.png"
    Image.fromarray(tiny.picture(40, 60).rgb).save(file)
    return file


@pytest.mark.parametrize("named", ["acme/leaves", "./leaves"])
def test_the_command_line_takes_an_id_or_a_path(named, photo, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path / "own")
    assert command_line.main(["predict", str(photo), "--model", named, "--out", str(tmp_path / "out")]) == 0
    key = "acme-leaves" if named == "acme/leaves" else "local-own-leaves"
    record = json.loads((tmp_path / "out" / f"photo.{key}.json").read_text())
    assert record["model"]["checkpoint"] == ("acme/leaves" if named == "acme/leaves" else "local/own/leaves")
    assert str(tmp_path) not in json.dumps(record)
    assert {row["name"] for row in record["classes"]} <= set(LEAVES.classes)


def test_the_command_line_fetches_and_times_it(tmp_path, capsys):
    words = ["benchmark", "--model", "acme/leaves", "--size", "32x32", "--rounds", "1", "--untrained"]
    assert command_line.main([*words, "--json", str(tmp_path / "times.json")]) == 0
    assert command_line.main(["fetch", "acme/leaves"]) == 0
    assert "acme/leaves" in capsys.readouterr().out


@pytest.mark.parametrize("named", ["./nothing", "acme/nothing", "nothing"])
def test_the_command_line_refuses_with_one_sentence(named, photo, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        command_line.main(["predict", str(photo), "--model", named, "--out", str(tmp_path)])
    assert stopped.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_stored_run_is_shown_when_its_model_is_not_registered_any_more(tmp_path):
    saved(tmp_path / "own" / "streets", CAMVID)
    spec = found.from_path(tmp_path / "own" / "streets")
    results = Results(tmp_path / "results.sqlite")
    *_, last = evaluate(load(spec.key), open_dataset("street-scenes:2"), results)
    catalog._found.clear()
    [run] = results.runs()
    assert cache.run_name(run).startswith(spec.key)
    scores = scoreboard.gather(Results(results.path), run)
    assert np.isfinite(scores.mean_iou("mmsegmentation").value)
    assert catalog.find(spec.key) == spec
    assert last.run.identity == run.identity
