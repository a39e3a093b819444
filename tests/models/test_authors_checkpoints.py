"""Files as the authors publish them, here with random tensors under the authors' names."""

import pytest
import torch
import yaml

from segdemo.errors import WeightsError
from segdemo.models import authors_checkpoints
from segdemo.models.architectures import segmenter
from segdemo.models.architectures.fastfcn import EncodingHead, FastFcn, FcnHead, JointPyramidUpsampling, resnet

SETTINGS = {
    "image_size": [64, 64], "patch_size": 16, "d_model": 64, "n_heads": 2, "n_layers": 2, "n_cls": 7,
    "normalization": "vit", "decoder": {"name": "mask_transformer", "n_layers": 1},
}  # fmt: skip


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
    found = authors_checkpoints.fastfcn(file)
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


def test_a_published_segmenter_is_read_with_its_settings(tmp_path):
    network = segmenter.from_settings(SETTINGS).eval()
    (tmp_path / "variant.yml").write_text(
        yaml.safe_dump({"net_kwargs": SETTINGS, "dataset_kwargs": {"dataset": "ade20k"}})
    )
    state = network.state_dict() | {"encoder.head.weight": torch.zeros(1000, 64)}
    torch.save({"model": state, "optimizer": {}, "epoch": 1}, tmp_path / "checkpoint.pth")
    found = authors_checkpoints.segmenter_folder(tmp_path)
    pictures = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        assert torch.equal(found.module.eval()(pictures), network(pictures))
    assert (found.shorter_side, found.divisor, found.mean) == (64, 16, (0.5, 0.5, 0.5))


HUGE = yaml.safe_dump({"net_kwargs": SETTINGS | {"d_model": 10**9}})
CODE = "!!python/object/apply:os.system [ls]"


@pytest.mark.parametrize("content", ["", "net_kwargs: 3", "net_kwargs: {patch_size: 16}", HUGE, CODE])
def test_settings_that_are_none_get_their_sentence(tmp_path, content):
    (tmp_path / "variant.yml").write_text(content)
    with pytest.raises(WeightsError, match=r"variant\.yml.*get the folder again"):
        authors_checkpoints.read_variant(tmp_path)


def test_a_file_of_something_else_gets_its_sentence(tmp_path):
    file = tmp_path / "other.pth"
    torch.save({"state_dict": {"conv.weight": torch.zeros(3)}}, file)
    with pytest.raises(WeightsError, match="no FastFCN"):
        authors_checkpoints.fastfcn(file)
    file.write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="damaged"):
        authors_checkpoints.fastfcn(file)
