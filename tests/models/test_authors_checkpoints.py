"""Files as the authors publish them, here with random tensors under the authors' names."""

import dataclasses
import hashlib
import io

import numpy as np
import pytest
import torch
import yaml

from segdemo.errors import WeightsError
from segdemo.images import InputImage
from segdemo.labels import ADE20K
from segdemo.models import authors_checkpoints, catalog, found, from_torch, load, predict, weights
from segdemo.models.architectures import segmenter
from segdemo.models.architectures.brain_unet import BrainUNet
from segdemo.models.architectures.fastfcn import EncodingHead, FastFcn, FcnHead, JointPyramidUpsampling, resnet
from tests.hub_server import HubServer

SETTINGS = {
    "image_size": [64, 64], "patch_size": 16, "d_model": 64, "n_heads": 2, "n_layers": 2, "n_cls": 7,
    "normalization": "vit", "decoder": {"name": "mask_transformer", "n_layers": 1},
}  # fmt: skip


PREPARED = (520, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
BRAIN = catalog.find("mateuszbuda/brain-segmentation-pytorch")


def fastfcn_file(path, head):
    network = FastFcn(resnet((3, 4, 6, 3)), JointPyramidUpsampling((512, 1024, 2048)), head).eval()
    more = {
        "auxlayer.conv5.0.weight": torch.zeros(256, 1024, 3, 3),
        "pretrained.fc.weight": torch.zeros(1000, 2048),
        "head.encmodule.selayer.weight": torch.zeros(5, 512),
    }
    torch.save({"epoch": 79, "state_dict": network.state_dict() | more}, path)
    return network


@pytest.mark.parametrize("head", [FcnHead, EncodingHead])
def test_a_published_fastfcn_is_told_from_its_tensors_and_answers_at_the_inputs_size(tmp_path, head):
    file = tmp_path / "ade.pth.tar"
    network = fastfcn_file(file, head(2048, 512, 5))
    found = authors_checkpoints.fastfcn(file, *PREPARED)
    pictures = torch.randn(1, 3, 65, 97)
    with torch.inference_mode():
        logits, grid = found.module.eval()(pictures), network(pictures)
    assert logits.shape == (1, 5, 65, 97)
    assert torch.equal(logits[..., 0, 0], grid[..., 0, 0])  # corners lie on each other
    assert torch.allclose(logits[..., -1, -1], grid[..., -1, -1])
    assert len(found.classes) == 5


def test_an_encoding_is_the_softly_assigned_residuals_to_its_words():
    torch.manual_seed(0)
    encoding = EncodingHead(8, 4, 2).encmodule.encoding[3]
    features = torch.randn(2, 4, 3, 5)
    places = features.flatten(2).transpose(1, 2)[:, :, None]
    residuals = places - encoding.codewords
    shares = (encoding.scale * residuals.square().sum(-1)).softmax(-1)
    torch.testing.assert_close(encoding(features), (shares[..., None] * residuals).sum(1))


def write_variant(folder, settings=SETTINGS, **data):
    """As the authors' training writes it: the size as a tuple of Python's."""
    content = {"net_kwargs": settings | {"image_size": (64, 64)}, "dataset_kwargs": {"dataset": "ade20k"} | data}
    (folder / "variant.yml").write_text(yaml.dump(content))


def test_a_published_segmenter_is_read_with_its_settings(tmp_path):
    network = segmenter.from_settings(SETTINGS, 64, 32).eval()
    write_variant(tmp_path, image_size=80, crop_size=64)
    state = network.state_dict() | {"encoder.head.weight": torch.zeros(1000, 64)}
    torch.save({"model": state, "optimizer": {}, "epoch": 1}, tmp_path / "checkpoint.pth")
    found = authors_checkpoints.segmenter_folder(tmp_path)
    pictures = torch.randn(1, 3, 80, 112)
    with torch.inference_mode():
        assert torch.equal(found.module.eval()(pictures), network(pictures))
    assert (found.shorter_side, found.divisor, found.mean) == (80, 16, (0.5, 0.5, 0.5))


def test_a_segmenter_trained_elsewhere_is_evaluated_at_the_size_of_its_positions(tmp_path):
    write_variant(tmp_path)
    variant = authors_checkpoints.read_variant(tmp_path)
    assert (variant.shorter_side, variant.window, variant.step) == (64, 64, 32)


HUGE = yaml.safe_dump({"net_kwargs": SETTINGS | {"d_model": 10**9}})
CUBIC, FLAT = (yaml.safe_dump({"net_kwargs": SETTINGS | {"image_size": size}}) for size in ([64, 64, 64], []))
UNEVEN = yaml.safe_dump({"net_kwargs": SETTINGS, "dataset_kwargs": {"crop_size": 60}})
CODE = "!!python/object/apply:os.system [ls]"


@pytest.mark.parametrize(
    "content", ["", "net_kwargs: 3", "net_kwargs: {patch_size: 16}", HUGE, UNEVEN, CUBIC, FLAT, CODE]
)
def test_settings_that_are_none_get_their_sentence(tmp_path, content):
    (tmp_path / "variant.yml").write_text(content)
    with pytest.raises(WeightsError, match=r"variant\.yml.*get the folder again"):
        authors_checkpoints.read_variant(tmp_path)


def test_a_file_of_something_else_gets_its_sentence(tmp_path):
    file = tmp_path / "other.pth"
    torch.save({"state_dict": {"conv.weight": torch.zeros(3)}}, file)
    with pytest.raises(WeightsError, match="no FastFCN"):
        authors_checkpoints.fastfcn(file, *PREPARED)
    file.write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="damaged"):
        authors_checkpoints.fastfcn(file, *PREPARED)


def picture(height, width):
    rgb = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    rgb.setflags(write=False)
    return InputImage(rgb, "0", "0.png")


def test_folders_and_files_of_the_authors_join_the_models(tmp_path):
    (tmp_path / "seg").mkdir()
    settings = SETTINGS | {"n_cls": len(ADE20K.classes)}
    write_variant(tmp_path / "seg", settings)
    state = segmenter.from_settings(settings, 64, 32).state_dict()
    torch.save({"model": state}, tmp_path / "seg" / "checkpoint.pth")
    fastfcn_file(tmp_path / "fast.pth", FcnHead(2048, 512, 3))
    (tmp_path / "fast.toml").write_text('architecture = "fastfcn"\nclasses = ["road", "sky", "car"]\nshorter_side = 64')
    for path, family, space in (("seg", "Segmenter", ADE20K.classes), ("fast.pth", "FastFCN", ("road", "sky", "car"))):
        spec = found.from_path(tmp_path / path)
        assert (spec.family, spec.space.classes) == (family, space)
        [prediction] = predict(load(spec.key), [picture(70, 90)])
        assert prediction.labels.shape == (70, 90)


def test_a_file_with_other_classes_than_its_sidecar_gets_its_sentence(tmp_path):
    fastfcn_file(tmp_path / "fast.pth", FcnHead(2048, 512, 3))
    (tmp_path / "fast.toml").write_text('architecture = "fastfcn"\nclasses = ["road", "sky"]')
    with pytest.raises(WeightsError, match="knows 3 classes, not the 2 named"):
        load(found.from_path(tmp_path / "fast.pth").key)


def test_the_released_brain_unet_is_fetched_by_its_hash_and_answers_with_its_own_probability(tmp_path, monkeypatch):
    torch.manual_seed(0)
    network = BrainUNet().eval()
    buffer = io.BytesIO()
    torch.save(network.state_dict(), buffer)
    data = buffer.getvalue()
    name = f"unet-{hashlib.sha256(data).hexdigest()[:8]}.pt"
    spec = dataclasses.replace(BRAIN, checkpoint=f"models/{name}")
    with HubServer() as server:
        server.add_file(name, data)
        server.use(monkeypatch, tmp_path)
        monkeypatch.setenv("SEGDEMO_RELEASES_URL", server.url)
        assert weights.state(spec) == "absent"
        model = from_torch.load(spec, "cpu", "fp32", True)
        assert weights.state(spec) == "downloaded"
    inputs = model.preprocess(model.transfer([picture(200, 300)]))
    assert inputs.shape == (1, 3, 256, 256)
    assert torch.allclose(inputs.mean((2, 3)), torch.zeros(1, 3), atol=1e-5)
    [prediction] = predict(model, [picture(256, 256)])
    with torch.inference_mode():
        logit = network(model.preprocess(model.transfer([picture(256, 256)])))[0, 1]
    abnormal = torch.sigmoid(logit).numpy()
    assert ((prediction.labels == 1) == (abnormal > 0.5)).mean() > 0.999
    sure = np.where(prediction.labels == 1, abnormal, 1 - abnormal)
    assert np.abs(prediction.confidence - sure).max() < 2e-3


def test_a_release_is_fetched_from_where_it_was_released():
    assert weights._address(BRAIN).endswith(
        "/mateuszbuda/brain-segmentation-pytorch/releases/download/v1.0/unet-e012d006.pt"
    )
