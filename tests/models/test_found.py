"""Checkpoints beside the catalogue: ids of a hub that runs on this machine, and folders."""

import json
import pickle
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers as t

from segdemo.errors import ModelError, WeightsError
from segdemo.labels import ADE20K, CITYSCAPES, COCO_PANOPTIC, COCO_THINGS, VOID, LabelSpace
from segdemo.models import catalog, checkpoint_rows, found, load, predict, run_stages, web, weights
from segdemo.models.spec import ModelSpec
from tests.hub_server import HubServer
from tests.models import tiny_networks as tiny

LEAVES = LabelSpace("leaves", ("soil", "leaf", "stem"), ((0, 0, 0), (0, 255, 0), (0, 0, 255)))


@pytest.fixture(autouse=True)
def nothing_found(monkeypatch):
    monkeypatch.setattr(catalog, "_found", {})
    monkeypatch.delenv("SEGDEMO_ANY_CHECKPOINT", raising=False)


@pytest.fixture
def server(monkeypatch, tmp_path):
    with HubServer() as server:
        server.use(monkeypatch, tmp_path)
        monkeypatch.setattr(web, "PAUSES_S", (0, 0))
        yield server


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The files of a tiny SegFormer that knows leaves."""
    folder = tmp_path_factory.mktemp("leaves")
    tiny.tiny_segformer(LEAVES).save_pretrained(folder)
    t.SegformerImageProcessor(**tiny.square(64)).save_pretrained(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def folder(files, tmp_path):
    """The same in a folder."""
    return written(tmp_path / "runs" / "leaves", files)


def written(folder, files):
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def changed(files, **settings):
    """The files with other settings in config.json; None takes one away."""
    config = json.loads(files["config.json"]) | settings
    config = {name: value for name, value in config.items() if value is not None}
    return files | {"config.json": json.dumps(config).encode()}


def complaint(ask, *arguments):
    """The one sentence of a refusal."""
    with pytest.raises(ModelError) as caught:
        ask(*arguments)
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith(".")
    return text


# Ids of the hub


def test_an_id_is_looked_at_before_anything_large_is_fetched(server, files):
    server.add_repo("acme/leaves", files, card={"license": "apache-2.0"})
    spec = found.from_hub("acme/leaves")
    assert server.asked("model.safetensors") == []
    assert spec.key == spec.checkpoint == "acme/leaves"
    assert spec.revision == server.repos["acme/leaves"].commit
    assert (spec.task, spec.architecture) == ("semantic", "SegformerForSemanticSegmentation")
    assert spec.space.classes == LEAVES.classes
    assert spec.licence == "apache-2.0"
    assert spec.download_bytes == sum(map(len, files.values()))
    assert (spec.paper, spec.year) == ("", None)
    assert weights.state(spec) == "absent"


def test_it_runs_like_a_model_of_the_catalogue_and_is_found_by_its_key(server, files):
    server.add_repo("acme/leaves", files)
    spec = found.from_hub("acme/leaves")
    assert catalog.find("acme/leaves") is spec
    [prediction] = predict(load(spec.key), [tiny.picture(40, 52)])
    assert prediction.labels.shape == (40, 52)
    assert prediction.space.classes == LEAVES.classes
    assert weights.state(spec) == "downloaded"
    assert weights.fingerprint(spec) == spec.revision


def test_the_shape_can_be_timed_before_the_weights_are_here(server, files):
    server.add_repo("acme/leaves", files)
    model = load(found.from_hub("acme/leaves").key, weights="untrained")
    [answer], _ = run_stages(model, [tiny.picture(30, 40)])
    assert answer.labels.shape == (30, 40)
    assert server.asked("model.safetensors") == []


def test_a_revision_can_be_asked_for_and_is_another_model(server, files):
    server.add_repo("acme/leaves", files)
    commit = server.repos["acme/leaves"].commit
    pinned = found.from_hub(f"acme/leaves@{commit}")
    assert (pinned.key, pinned.revision) == (f"acme/leaves@{commit}", commit)
    assert found.from_hub("acme/leaves").key == "acme/leaves"
    assert "gone or renamed" in complaint(found.from_hub, "acme/leaves@v9")


def test_what_has_been_fetched_is_looked_at_without_a_network(server, files):
    server.add_repo("acme/leaves", files)
    weights.fetch(found.from_hub("acme/leaves"))
    server.close()
    catalog._found.clear()
    spec = found.from_hub("acme/leaves")
    assert weights.state(spec) == "downloaded"
    assert spec.licence == found.UNKNOWN_LICENCE


def test_a_gated_checkpoint_says_what_to_do(server, files):
    server.add_repo("acme/leaves", files, gated=True)
    assert "accept its terms on its page and set HF_TOKEN" in complaint(found.from_hub, "acme/leaves")


@pytest.mark.parametrize("status", [404, 500])
def test_a_hub_that_fails_is_named(server, files, status):
    server.add_repo("acme/leaves", files)
    server.fault("config.json", method="HEAD", status=status)
    assert "cannot be looked at" in complaint(found.from_hub, "acme/leaves")


def test_an_id_that_nobody_has_is_named(server):
    assert "acme/nothing cannot be looked at" in complaint(found.from_hub, "acme/nothing")


@pytest.mark.parametrize(
    "text", ["leaves", "acme/leaves/more", "../leaves", "acme/..", "a b/c", "acme/x@../main", "<b>/c"]
)
def test_what_is_no_id_asks_nobody(server, text):
    complaint(found.from_hub, text)
    assert server.requests == []


def test_a_pickle_is_fetched_only_where_there_are_no_safetensors_and_runs_no_code(server, files, tmp_path):
    mark = tmp_path / "ran"
    others = {name: data for name, data in files.items() if name != "model.safetensors"}
    server.add_repo("acme/leaves", others | {"pytorch_model.bin": pickle.dumps(Harmful(str(mark)))})
    spec = found.from_hub("acme/leaves")
    assert "cannot be read" in complaint(load, spec.key)
    assert not mark.exists()


class Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_code_beside_the_weights_is_neither_fetched_nor_run(server, files):
    own = changed(files, auto_map={"AutoModelForSemanticSegmentation": "modeling.Net"})
    server.add_repo("acme/leaves", own | {"modeling.py": b"import sys; sys.segdemo_ran = True"})
    predict(load(found.from_hub("acme/leaves").key), [tiny.picture(20, 20)])
    assert "modeling.py" not in {request.name for request in server.requests}
    assert not hasattr(sys, "segdemo_ran")


# What is refused


REFUSED = {
    "a network that needs its own code": (
        {"architectures": ["MyNet"], "model_type": "mynet", "auto_map": {"AutoModel": "modeling.MyNet"}},
        "comes with its own code, which segdemo never runs",
    ),
    "a classifier": ({"architectures": ["SegformerForImageClassification"]}, "SegformerForImageClassification, no seg"),
    "a language model": ({"architectures": ["BertModel"], "model_type": "bert"}, "is BertModel, no segmentation model"),
    "something without a type": ({"architectures": None, "model_type": None}, "something without a type"),
    "too many classes": ({"id2label": {str(i): f"c{i}" for i in range(VOID + 1)}}, "knows 256 classes; segdemo shows"),
    "classes with gaps": ({"id2label": {"0": "a", "2": "b"}}, "does not number its classes from 0 on"),
    "a backbone elsewhere": ({"backbone": "acme/backbone"}, "only names its backbone"),
    "a backbone of timm's hub": (
        {"backbone_config": {"model_type": "timm_backbone", "backbone": "hf_hub:acme/x"}}, "only names its backbone"
    ),
    "attention from elsewhere": ({"attn_implementation": "acme/attention"}, "asks for code from elsewhere"),
    "packed weights": ({"quantization_config": {"quant_method": "x"}}, "asks for a library that unpacks"),
    "a library that is not here": ({"backbone_config": {"model_type": "dinat"}}, "needs the library NATTEN"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_run_is_refused_with_its_reason(server, files, name):
    settings, reason = REFUSED[name]
    server.add_repo("acme/leaves", changed(files, **settings))
    assert reason in complaint(found.from_hub, "acme/leaves")
    assert server.asked("model.safetensors") == []
    assert catalog.known("acme/leaves") is None


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, '{"id2label": 3, "architectures": 7}'])
def test_a_damaged_configuration_is_refused(folder, text):
    (folder / "config.json").write_text(text)
    complaint(found.from_path, folder)


@pytest.mark.parametrize("settings", [{"image_processor_type": "SamImageProcessor"}, {"image_processor_type": 3}])
def test_preparing_pictures_in_a_way_that_is_not_known_is_refused(folder, settings):
    file = folder / "preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))
    spec = found.from_path(folder)
    if settings["image_processor_type"] != 3:
        assert "does not know how SamImageProcessor prepares pictures" in complaint(load, spec.key)


def test_what_is_too_large_is_refused_before_it_is_fetched(server, files, monkeypatch):
    server.add_repo("acme/leaves", files)
    monkeypatch.setattr(found, "MOST_BYTES", 50_000)
    assert "GB at most" in complaint(found.from_hub, "acme/leaves")
    assert server.asked("model.safetensors") == []


@pytest.mark.parametrize("size", [{"height": 10**9, "width": 64}, {"shortest_edge": 0}, {"shortest_edge": "wide"}])
def test_pictures_of_an_impossible_size_are_refused(folder, size):
    file = folder / "preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"size": size}))
    complaint(load, found.from_path(folder).key)


# Folders


def test_a_folder_is_a_model_of_its_own(folder):
    (folder / "README.md").write_text("---\nlicense: cc-by-4.0\ntags: []\n---\n# Leaves\n")
    spec = found.named(str(folder))
    assert (spec.key, spec.licence, weights.state(spec)) == ("local/runs/leaves", "cc-by-4.0", "local")
    assert spec.shown_checkpoint == spec.key
    [prediction] = predict(load(spec.key), [tiny.picture(40, 52)])
    assert prediction.model == spec.key


def test_its_fingerprint_changes_with_its_weights(folder):
    spec = found.from_path(folder)
    before = weights.fingerprint(spec)
    assert weights.fingerprint(spec) == before
    tiny.tiny_segformer(LEAVES).half().save_pretrained(folder)
    assert weights.fingerprint(spec) != before


def test_two_folders_cannot_have_one_key(folder, files, tmp_path):
    found.from_path(folder)
    other = written(tmp_path / "elsewhere" / "runs" / "leaves", files)
    assert "local/runs/leaves stands for" in complaint(found.from_path, other)


def test_a_folder_that_has_gone_is_named(folder):
    spec = found.from_path(folder)
    folder.rename(folder.with_name("moved"))
    assert weights.state(spec) == "absent"
    with pytest.raises(WeightsError, match="is not there any more"):
        load(spec.key)
    complaint(found.from_path, folder)


def test_the_folder_of_checkpoints_offers_its_own_by_name_and_no_other(folder, monkeypatch):
    monkeypatch.setenv("SEGDEMO_CHECKPOINTS", str(folder.parent))
    (folder.parent / "notes").mkdir()
    assert found.choices() == ["leaves"]
    assert found.choose("leaves").key == "local/leaves"
    for name in ("../runs/leaves", str(folder), "notes", ".."):
        assert "There is no checkpoint" in complaint(found.choose, name)


# Label spaces


def test_names_that_are_known_are_the_known_label_space():
    assert checkpoint_rows.space_of(CITYSCAPES.classes, "semantic", "x") is CITYSCAPES
    assert checkpoint_rows.space_of(tuple(f"{name};other" for name in ADE20K.classes), "semantic", "x") is ADE20K
    assert checkpoint_rows.space_of(COCO_PANOPTIC.classes, "panoptic", "x") is COCO_PANOPTIC


def test_things_are_what_is_known_as_such():
    own = checkpoint_rows.space_of(("sky", "Person", "car", "widget"), "panoptic", "x")
    assert own.things == {1, 2}
    assert checkpoint_rows.space_of(("widget", "gadget"), "instance", "x").things == {0, 1}
    assert checkpoint_rows.space_of(("background", "cat"), "semantic", "x").background == 0
    ade = checkpoint_rows.space_of(ADE20K.classes, "panoptic", "x")
    assert ade.classes == ADE20K.classes
    assert {"person", "car"} <= {ade.classes[i] for i in ade.things}


@pytest.mark.parametrize(
    ("name", "classes", "task"),
    [
        ("acme/mask2former-instance", ("leaf",), "instance"),
        ("acme/mask2former-leaves", COCO_THINGS.classes, "instance"),
        ("acme/mask2former-leaves", COCO_PANOPTIC.classes, "panoptic"),
        ("acme/mask2former-leaves", ("leaf",), "semantic"),
    ],
)
def test_a_query_models_task_is_read_from_its_name_and_its_classes(folder, name, classes, task):
    config = {"architectures": ["Mask2FormerForUniversalSegmentation"], "id2label": dict(enumerate(classes))}
    (folder / "config.json").write_text(json.dumps(config))
    spec = checkpoint_rows.read("key", name, folder)
    assert spec.task == task


def test_a_type_that_only_segments_needs_no_class_named(folder):
    config = {"model_type": "upernet", "id2label": {"0": "leaf"}}
    (folder / "config.json").write_text(json.dumps(config))
    assert found.from_path(folder).architecture == "UperNetForSemanticSegmentation"
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "segformer"}))
    assert "is a network of type 'segformer'" in complaint(checkpoint_rows.read, "key", "name", folder)


def test_class_names_are_fit_for_tables(folder, files):
    names = ["leaf", "leaf", "a\nb", "", "x" * 500]
    config = changed(files, id2label={str(i): name for i, name in enumerate(names)})["config.json"]
    (folder / "config.json").write_bytes(config)
    assert found.from_path(folder).space.classes == ("leaf", "leaf (2)", "a b", "unnamed", "x" * 60)


# The registry


def test_nothing_beside_the_catalogue_is_used_where_that_is_switched_off(server, files, folder, monkeypatch):
    server.add_repo("acme/leaves", files)
    spec = found.from_hub("acme/leaves")
    monkeypatch.setenv("SEGDEMO_ANY_CHECKPOINT", "off")
    monkeypatch.setenv("SEGDEMO_CHECKPOINTS", str(folder.parent))
    server.requests.clear()
    assert found.choices() == []
    for ask, argument in ((found.from_hub, "acme/other"), (found.from_path, folder), (catalog.register, spec)):
        assert "SEGDEMO_ANY_CHECKPOINT is off" in complaint(ask, argument)
    assert "no model 'acme/leaves'" in complaint(load, "acme/leaves")
    assert server.requests == []
    assert catalog.find("starter/fcn").key == "starter/fcn"


def test_a_key_means_the_checkpoint_that_came_first(server, files):
    server.add_repo("acme/leaves", files)
    first = found.from_hub("acme/leaves")
    assert catalog.register(replace(first, title="another")) is first
    assert found.from_hub("acme/leaves") is first
    row = catalog.find("starter/fcn")
    assert catalog.register(replace(row, title="another")) is row


def test_the_registry_is_bounded_and_forgets_the_oldest(monkeypatch):
    monkeypatch.setattr(catalog, "MOST_FOUND", 3)
    rows = [replace(catalog.CATALOG[0], key=f"acme/{i}") for i in range(4)]
    for row in rows[:3]:
        catalog.register(row)
    catalog.register(rows[0])  # used again
    catalog.register(rows[3])
    assert [catalog.known(row.key) is not None for row in rows] == [True, False, True, True]
    assert catalog.title("acme/1") == "acme/1"


def test_threads_share_one_row(server, files):
    server.add_repo("acme/leaves", files)
    rows = []
    threads = [threading.Thread(target=lambda: rows.append(found.from_hub("acme/leaves"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rows) == 4
    assert {id(row) for row in rows} == {id(catalog.find("acme/leaves"))}


def test_a_row_survives_json(folder):
    for spec in (found.from_path(folder), *catalog.CATALOG):
        assert ModelSpec.parse(json.loads(json.dumps(spec.record()))) == spec


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_labels_are_ids_of_the_checkpoints_own_classes(folder):
    [prediction] = predict(load(found.from_path(folder).key), [tiny.picture(64, 64)])
    assert set(np.unique(prediction.labels)) <= {0, 1, 2}
