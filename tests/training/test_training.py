import dataclasses
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from segdemo.errors import SegdemoError
from segdemo.labels import CAMVID
from segdemo.models.catalog import CATALOG
from segdemo.training import Run, data, networks, recipe, train
from segdemo.training.export import export
from segdemo.training.recipe import Recipe

RECIPES = sorted(path.stem for path in recipe.bundled("fcn").parent.glob("*.toml"))
TINY = {"batch": 2, "picture_hw": (64, 96), "crop_hw": (64, 64), "scene_pool": 4, "start_from": "", "steps": 4}


@pytest.fixture(scope="module")
def scenes() -> data.Pictures:
    return data.from_scenes(0, 4, (64, 96))


def tiny(name: str, **changes: object) -> Recipe:
    return dataclasses.replace(recipe.read(recipe.bundled(name)), **(TINY | changes))


def finish(run: Run, scenes: data.Pictures, stop_after: int | None = None) -> None:
    for progress in train(run, CAMVID, scenes, None, scenes):
        if progress.step == stop_after:
            return


@pytest.mark.parametrize("name", RECIPES)
def test_every_starter_recipe_takes_a_step_and_is_scored(name: str, scenes: data.Pictures, tmp_path: Path):
    run = Run(tiny(name, steps=1), CAMVID, "cpu", tmp_path)
    [progress] = list(train(run, CAMVID, scenes, scenes, scenes))
    assert math.isfinite(progress.loss)
    assert 0 <= progress.score <= 1


def test_a_killed_run_goes_on_to_the_same_weights(scenes: data.Pictures, tmp_path: Path):
    settings = tiny("segformer", precision="fp32", validate_every=2)
    unbroken = Run(settings, CAMVID, "cpu", tmp_path / "unbroken")
    finish(unbroken, scenes)

    finish(Run(settings, CAMVID, "cpu", tmp_path / "broken"), scenes, stop_after=2)
    resumed = Run(settings, CAMVID, "cpu", tmp_path / "broken")
    assert resumed.resume()
    assert resumed.step == 2
    finish(resumed, scenes)

    assert resumed.best == unbroken.best
    for name, tensor in unbroken.network.state_dict().items():
        assert torch.equal(tensor, resumed.network.state_dict()[name]), name
    for name, tensor in unbroken.averaged.state_dict().items():
        assert torch.equal(tensor, resumed.averaged.state_dict()[name]), name


def test_a_run_of_another_recipe_is_not_resumed(scenes: data.Pictures, tmp_path: Path):
    finish(Run(tiny("fcn", steps=1), CAMVID, "cpu", tmp_path), scenes)
    assert not Run(tiny("fcn", steps=2), CAMVID, "cpu", tmp_path).resume()


def test_a_network_learns_a_few_scenes(scenes: data.Pictures, tmp_path: Path):
    settings = tiny("fcn", steps=80, batch=4, warmup_steps=5, learning_rate=3e-3, validate_every=20)
    run = Run(settings, CAMVID, "cpu", tmp_path)
    losses = [p.loss for p in train(run, CAMVID, scenes, None, scenes)]
    assert losses[-1] < 0.75 * losses[0]


@pytest.mark.parametrize("name", ["deeplabv3_small", "maskrcnn_small", "mask2former_small"])
def test_a_trunk_travels_between_kinds_of_networks(name: str, tmp_path: Path):
    source = networks.build("fcn_small", CAMVID)
    save_file(source.state_dict(), tmp_path / "model.safetensors")
    network = networks.build(name, CAMVID)
    taken = networks.start_from(network, tmp_path)
    trunk = networks.trunk_tensors(source.state_dict())
    assert taken == len(trunk) == 114
    arrived = networks.trunk_tensors(network.state_dict())
    assert all(torch.equal(trunk[key], arrived[key]) for key in trunk)


def test_deeplabs_vgg_becomes_segnets_encoder(tmp_path: Path):
    source = networks.build("deeplab_small", CAMVID).eval()
    save_file(source.state_dict(), tmp_path / "model.safetensors")
    network = networks.build("segnet_small", CAMVID).eval()
    assert networks.start_from(network, tmp_path) == 13 * 6  # convolutions; each a kernel and five tensors of its norm
    picture = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        for conv in (network.encoder[0][0], network.encoder[0][3]):
            conv.bias.zero_()  # DeepLab's have none
        assert torch.allclose(network.encoder[0](picture), source.trunk[:6](picture), atol=1e-5)


def test_a_checkpoint_with_fewer_queries_gives_the_first_ones(tmp_path: Path):
    network = networks.build("mask2former_small", CAMVID)
    queries = {name for name in network.state_dict() if ".queries_" in name}
    source = {name: t[:30].clone() if name in queries else t.clone() for name, t in network.state_dict().items()}
    save_file(source, tmp_path / "model.safetensors")
    larger = networks.build("mask2former_small", CAMVID)
    assert len(queries) == 2
    assert networks.start_from(larger, tmp_path) == len(source)
    arrived = larger.state_dict()
    assert all(torch.equal(arrived[name][:30] if name in queries else arrived[name], t) for name, t in source.items())


def test_a_checkpoint_with_fewer_decoder_layers_repeats_them(tmp_path: Path):
    layer = "model.transformer_module.decoder.layers."
    network = networks.build("mask2former_small", CAMVID)
    source = {
        name: t
        for name, t in network.state_dict().items()
        if not name.startswith(tuple(f"{layer}{n}" for n in (3, 4, 5)))
    }
    save_file(source, tmp_path / "model.safetensors")
    deeper = networks.build("mask2former_small", CAMVID)
    assert networks.start_from(deeper, tmp_path) == len(network.state_dict())
    arrived = deeper.state_dict()
    originals = [name for name in source if name.startswith(layer)]
    assert all(torch.equal(arrived[name], source[name]) for name in source)
    for name in originals:
        number, _, rest = name.removeprefix(layer).partition(".")
        assert torch.equal(arrived[f"{layer}{int(number) + 3}.{rest}"], source[name])


def test_the_travelled_trunk_computes_the_same_in_the_other_library(tmp_path: Path):
    source = networks.build("fcn_small", CAMVID).eval()
    save_file(source.state_dict(), tmp_path / "model.safetensors")
    network = networks.build("mask2former_small", CAMVID).eval()
    networks.start_from(network, tmp_path)
    picture = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        x = source.backbone.maxpool(source.backbone.relu(source.backbone.bn1(source.backbone.conv1(picture))))
        expected = source.backbone.layer2(source.backbone.layer1(x))
        maps = network.model.pixel_level_module.encoder(picture).feature_maps
    assert torch.allclose(maps[1], expected, atol=1e-5)


@pytest.mark.parametrize("key", ["torchvision/lraspp_mobilenet_v3_large", "nvidia/segformer-b0-finetuned-ade-512-512"])
def test_any_architecture_of_the_catalogue_learns_the_classes_of_the_data(
    key: str, scenes: data.Pictures, tmp_path: Path
):
    run = Run(tiny("fcn", network=key, steps=1), CAMVID, "cpu", tmp_path)
    [progress] = list(train(run, CAMVID, scenes, scenes, scenes))
    assert math.isfinite(progress.loss)
    export(run.averaged, run.recipe, CAMVID, {}, tmp_path / "checkpoint")
    assert load_file(tmp_path / "checkpoint" / "model.safetensors").keys() == run.network.state_dict().keys()


def test_a_network_for_one_question_is_not_trained_for_others():
    with pytest.raises(SegdemoError, match="choose unet_small"):
        networks.build("mateuszbuda/brain-segmentation-pytorch", CAMVID)


@pytest.mark.parametrize("key", [spec.key for spec in CATALOG if spec.source != "release"])
def test_every_key_of_the_catalogue_can_be_trained(key: str):
    with torch.device("meta"):
        assert isinstance(networks.build(key, CAMVID), torch.nn.Module)


def test_an_unknown_network_is_refused_with_the_names_of_known_ones():
    with pytest.raises(SegdemoError, match="fcn_small"):
        networks.build("fcn_large", CAMVID)


def test_a_checkpoint_without_a_common_trunk_is_refused(tmp_path: Path):
    save_file({"weight": torch.zeros(3)}, tmp_path / "model.safetensors")
    with pytest.raises(SegdemoError, match="no trunk"):
        networks.start_from(networks.build("fcn_small", CAMVID), tmp_path)


def test_an_unknown_setting_in_a_recipe_is_named(tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text('network = "fcn_small"\nsteps = 1\nlerning_rate = 1.0\n')
    with pytest.raises(SegdemoError, match="lerning_rate"):
        recipe.read(path)


def test_the_command_writes_a_checkpoint_with_its_record(tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'network = "fcn_small"\nsteps = 2\nbatch = 2\nscene_pool = 2\n'
        "picture_hw = [48, 64]\ncrop_hw = [48, 48]\nvalidate_every = 1\n"
    )
    command = [sys.executable, "-m", "segdemo", "train", "--recipe", str(path), "--out", str(tmp_path / "run")]
    done = subprocess.run([*command, "--device", "cpu"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    checkpoint = tmp_path / "run" / "checkpoint"
    weights = load_file(checkpoint / "model.safetensors")
    assert all(tensor.dtype in (torch.float16, torch.int64) for tensor in weights.values())
    assert json.loads((checkpoint / "config.json").read_text())["classes"] == list(CAMVID.classes)
    record = json.loads((checkpoint / "record.json").read_text())
    assert record["steps"] == 2
    assert record["recipe"]["seed"] == 0
