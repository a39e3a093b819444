"""Folders and files that are not of transformers: state dicts, folders of `train`, of segmentation_models_pytorch."""

import json
import pickle

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torchvision.models import get_model

from segdemo.errors import ModelError
from segdemo.models import catalog, found, load, predict, weights
from tests.models.tiny_networks import picture, restless

SIDECAR = 'architecture = "lraspp_mobilenet_v3_large"\nclasses = ["soil", "leaf", "stem"]\nshorter_side = 64\n'


@pytest.fixture(autouse=True)
def nothing_found(monkeypatch):
    monkeypatch.setattr(catalog, "_found", {})
    monkeypatch.delenv("SEGDEMO_ANY_CHECKPOINT", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def lraspp(classes=3):
    return restless(get_model("lraspp_mobilenet_v3_large", weights=None, weights_backbone=None, num_classes=classes))


@pytest.fixture
def file(tmp_path):
    """A state dict with its sidecar."""
    torch.save(lraspp().state_dict(), tmp_path / "leaves.pth")
    (tmp_path / "leaves.toml").write_text(SIDECAR)
    return tmp_path / "leaves.pth"


def complaint(ask, *arguments):
    with pytest.raises(ModelError) as caught:
        ask(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def normalised(image):
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return ((torch.from_numpy(image.rgb.copy()).float() / 255 - mean) / std).permute(2, 0, 1)[None]


def test_a_state_dict_with_its_sidecar_is_torchvisions_network(file):
    spec = found.named(str(file))
    assert spec.key == f"local/{file.parent.name}/leaves"
    assert (spec.family, spec.task, spec.library) == ("LR-ASPP", "semantic", "torchvision")
    assert spec.space.classes == ("soil", "leaf", "stem")
    assert spec.published == ()
    image = picture(64, 80)
    [found_] = predict(load(spec.key), [image])
    with torch.inference_mode():
        expected = lraspp()(normalised(image))["out"].argmax(1)[0].numpy()
    assert (found_.labels == expected).mean() > 0.999
    assert len(np.unique(found_.labels)) > 1


@pytest.mark.parametrize("name", ["model", "state_dict"])
def test_the_state_dict_of_a_training_script_is_found_in_its_file(file, name):
    state = {f"module.{key}": value for key, value in lraspp().state_dict().items()}
    torch.save({name: state, "epoch": 3}, file)
    assert predict(load(found.from_path(file).key), [picture(64, 64)])


def test_an_instance_network_counts_the_background_itself(tmp_path):
    network = get_model("maskrcnn_resnet50_fpn", weights=None, weights_backbone=None, num_classes=3)
    torch.save(network.half().state_dict(), tmp_path / "cells.pth")
    (tmp_path / "cells.toml").write_text(
        'architecture = "maskrcnn_resnet50_fpn"\nclasses = ["cell", "nucleus"]\nshorter_side = 64'
    )
    spec = found.from_path(tmp_path / "cells.pth")
    assert (spec.task, spec.space.things) == ("instance", {0, 1})
    [found_] = predict(load(spec.key), [picture(64, 80)])
    assert found_.segments is not None


SIDECARS = {
    "no TOML": ("classes = [", "is no TOML"),
    "no classes": ('architecture = "fcn_resnet50"', "classes must be a list of names"),
    "numbers": ("classes = [1, 2]", "classes must be a list of names"),
    "too many classes": (f"classes = {[str(i) for i in range(256)]}", "it names 256 classes"),
    "an unknown key": ('classes = ["a"]\ncode = "x"', "'code' is not known"),
    "an unknown architecture": ('classes = ["a"]\narchitecture = "resnet18"', "names no architecture that segdemo has"),
    "a size": ('classes = ["a"]\nshorter_side = 100000', "shorter_side must be 32 to 4096"),
    "a deviation of zero": ('classes = ["a"]\nstd = [0, 1, 1]', "std must be three numbers"),
}


@pytest.mark.parametrize("name", SIDECARS)
def test_a_sidecar_that_says_too_little_or_too_much_is_refused(file, name):
    text, reason = SIDECARS[name]
    file.with_suffix(".toml").write_text(text)
    assert reason in complaint(found.from_path, file)


def test_weights_without_a_sidecar_are_told_what_they_need(file):
    file.with_suffix(".toml").unlink()
    assert "needs a leaves.toml beside it that names its classes" in complaint(found.from_path, file)


def test_other_files_are_no_checkpoints(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    assert "is no checkpoint: name a folder" in complaint(found.from_path, tmp_path / "notes.txt")


def test_weights_of_another_number_of_classes_are_refused(file):
    torch.save(lraspp(5).state_dict(), file)
    assert "of another network or of other classes" in complaint(load, found.from_path(file).key)


class Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_a_file_that_holds_code_is_refused_and_the_code_not_run(file, tmp_path):
    mark = tmp_path / "ran"
    file.write_bytes(pickle.dumps({"weight": Harmful(str(mark))}))
    assert "holds more than weights" in complaint(load, found.from_path(file).key)
    assert not mark.exists()


def test_a_folder_of_train_runs_as_the_architecture_that_was_trained(tmp_path):
    source = weights.STARTERS / "fcn"
    folder = tmp_path / "runs" / "mine"
    folder.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_bytes((source / name).read_bytes())
    spec = found.named(str(folder))
    assert (spec.key, spec.family, spec.architecture) == ("local/runs/mine", "FCN", "fcn_small")
    assert spec.space is catalog.find("starter/fcn").space
    image = picture(120, 160)
    [own], [starter] = (predict(load(key), [image]) for key in (spec.key, "starter/fcn"))
    assert np.array_equal(own.labels, starter.labels)


def test_a_folder_of_train_may_be_of_any_torchvision_network(tmp_path):
    save_file(lraspp().state_dict(), tmp_path / "model.safetensors")
    config = {"network": "torchvision/lraspp_mobilenet_v3_large", "classes": ["a", "b", "c"], "shorter_side": 64,
              "mean": [0.5] * 3, "std": [0.5] * 3}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    [found_] = predict(load(found.from_path(tmp_path).key), [picture(64, 64)])
    assert found_.space.classes == ("a", "b", "c")
    (tmp_path / "config.json").write_text(json.dumps(config | {"network": "somewhere_small"}))
    catalog._found.clear()
    assert "which this copy of segdemo does not have" in complaint(found.from_path, tmp_path)


@pytest.fixture
def unet(tmp_path):
    """A folder of segmentation_models_pytorch, and its network."""
    network = smp.Unet("resnet18", encoder_depth=3, decoder_channels=(16, 8, 8), encoder_weights=None, classes=3)
    restless(network).save_pretrained(tmp_path / "unet")
    (tmp_path / "unet" / "segdemo.toml").write_text('classes = ["soil", "leaf", "stem"]\nshorter_side = 64')
    return tmp_path / "unet", network


def test_a_folder_of_segmentation_models_pytorch_is_read_with_its_sidecar(unet):
    folder, network = unet
    spec = found.from_path(folder)
    assert (spec.family, spec.library, spec.task) == ("Unet", "smp", "semantic")
    image = picture(64, 96)
    [found_] = predict(load(spec.key), [image])
    with torch.inference_mode():
        expected = network(normalised(image)).argmax(1)[0].numpy()
    assert (found_.labels == expected).mean() > 0.999
    assert len(np.unique(found_.labels)) > 1
    [odd] = predict(load(spec.key), [picture(61, 83)])
    assert odd.labels.shape == (61, 83)


def test_one_logit_is_two_classes(tmp_path):
    network = restless(smp.Unet("resnet18", encoder_depth=3, decoder_channels=(16, 8, 8), encoder_weights=None))
    network.save_pretrained(tmp_path)
    (tmp_path / "segdemo.toml").write_text('classes = ["background", "leaf"]\nshorter_side = 64')
    spec = found.from_path(tmp_path)
    assert spec.space.background == 0
    image = picture(64, 64)
    [found_] = predict(load(spec.key), [image])
    with torch.inference_mode():
        logits = network(normalised(image))[0, 0]
    assert ((logits > 0).numpy() == found_.labels).mean() > 0.999
    np.testing.assert_allclose(found_.confidence, F.sigmoid(logits.abs()), atol=2e-3)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"_model_class": "load"}, "none of"),
        ({"in_channels": 4}, "not built from colours to bare logits"),
        ({"activation": "sigmoid"}, "not built from colours to bare logits"),
        ({"encoder_name": "tu-hf_hub:acme/x"}, "not built from colours to bare logits"),
        ({"encoder_name": "nonsense"}, "cannot be built"),
        ({"classes": 7}, "gives 7 classes, but its segdemo.toml names 3"),
    ],
)
def test_what_the_library_would_fetch_or_cannot_build_is_refused(unet, settings, reason):
    folder, _ = unet
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | settings))
    assert reason in complaint(lambda: load(found.from_path(folder).key))


def test_weights_that_the_encoder_began_with_are_not_fetched(unet, monkeypatch):
    folder, _ = unet
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"encoder_weights": "imagenet"}))
    monkeypatch.setattr("segmentation_models_pytorch.encoders.hf_hub_download", None)
    assert predict(load(found.from_path(folder).key), [picture(64, 64)])


def test_the_folder_of_checkpoints_offers_files_with_a_sidecar(file, unet, monkeypatch):
    monkeypatch.setenv("SEGDEMO_CHECKPOINTS", str(file.parent))
    assert found.choices() == ["leaves.pth", "unet"]
    assert found.choose("leaves.pth").key == "local/leaves"
