"""The networks of our own: sizes as published, any picture size, and what each one is known for."""

import pytest
import torch
from torch import nn

from segdemo.models.architectures import segmenter, small_networks
from segdemo.models.architectures.deeplab import DeepLab
from segdemo.models.architectures.fastfcn import FastFcn, FcnHead, JointPyramidUpsampling, resnet
from segdemo.models.architectures.segnet import SegNet
from segdemo.models.semantic import fold_batch_norms

SMALL = sorted(name for name in vars(small_networks) if name.endswith("_small"))


def millions(network: nn.Module) -> float:
    return sum(p.numel() for p in network.parameters()) / 1e6


@torch.no_grad()
def lively(network: nn.Module) -> nn.Module:
    """With statistics as after training, so that a wrong order of layers would show."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.uniform_(0.5, 1.5)
    return network.eval()


def test_full_sizes_are_those_of_the_papers():
    with torch.device("meta"):
        assert millions(SegNet(11)) == pytest.approx(29.45, abs=0.05)  # SegNet, table 6: 29.45 M
        assert millions(DeepLab(21)) == pytest.approx(20.5, abs=0.05)  # DeepLab-LargeFOV, table 3 (a): 20.5 M


@pytest.mark.parametrize("name", SMALL)
def test_a_starters_network_fits_into_its_file_and_answers_all_over_the_picture(name):
    network = lively(getattr(small_networks, name)(11))
    assert millions(network) < 3.9  # two bytes each, below 8 MB
    with torch.inference_mode():
        logits = network(torch.randn(2, 3, 96, 160))
    assert logits.shape[:2] == (2, 11)
    assert logits.shape[2] * 160 == logits.shape[3] * 96
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("name", SMALL)
def test_folded_batch_norms_change_nothing(name):
    network = lively(getattr(small_networks, name)(5))
    pictures = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        before = network(pictures)
        fold_batch_norms(network)
        torch.testing.assert_close(network(pictures), before, rtol=1e-3, atol=1e-3 * float(before.abs().max()))


def test_segnet_puts_values_back_where_they_stood():
    network = SegNet(2, widths=(1,), depths=(1,))
    network.encoder[0], network.decoder[0] = nn.Identity(), nn.Identity()
    picture = torch.tensor([[[[1.0, 5.0, 0.0], [2.0, 3.0, 7.0], [4.0, 0.0, 1.0]]]])  # odd: a last row and column alone
    expected = torch.tensor([[[[0.0, 5.0, 0.0], [0.0, 0.0, 7.0], [4.0, 0.0, 1.0]]]])
    assert torch.equal(network(picture), expected)


def test_deeplab_sees_far_at_an_eighth_of_the_size():
    network = lively(DeepLab(3, widths=(4, 4, 4, 4, 4), wide=4))
    picture = torch.randn(1, 3, 304, 304, requires_grad=True)
    logits = network(picture)
    assert logits.shape[-2:] == (38, 38)
    logits[0, :, 19, 19].sum().backward()
    rows = picture.grad.abs().sum((0, 1, 3)).nonzero().flatten()
    assert rows[-1] - rows[0] > 12 * 8 * 2  # the taps of the wide layer alone are 24 places apart


def test_fastfcn_has_a_dilated_networks_resolution_without_dilating_its_backbone():
    upsampling = JointPyramidUpsampling((512, 1024, 2048))
    network = lively(FastFcn(resnet((3, 4, 6, 3)), upsampling, FcnHead(2048, 512, 4)))
    assert all(m.dilation == (1, 1) for m in network.pretrained.modules() if isinstance(m, nn.Conv2d))
    with torch.inference_mode():
        assert network(torch.randn(1, 3, 65, 97)).shape == (1, 4, 9, 13)


SETTINGS = {
    "image_size": (64, 64), "patch_size": 16, "d_model": 64, "n_heads": 2, "n_layers": 2, "n_cls": 7,
    "decoder": {"name": "mask_transformer", "n_layers": 1},
}  # fmt: skip


@pytest.mark.parametrize("decoder", [SETTINGS["decoder"], {"name": "linear"}])
def test_segmenter_answers_each_patch_at_sizes_it_has_not_learned_positions_for(decoder):
    network = segmenter.from_settings(SETTINGS | {"decoder": decoder}, window=96, step=64).eval()
    with torch.inference_mode():
        assert network(torch.randn(2, 3, 64, 96)).shape == (2, 7, 4, 6)


def test_segmenter_takes_larger_pictures_in_windows_and_the_mean_of_their_logits():
    """By the plain way of the authors' evaluation: windows at 0 and 48, and the last ends with the picture."""
    network = segmenter.from_settings(SETTINGS, window=64, step=48).eval()
    pictures = torch.randn(2, 3, 64, 144)
    total, times = torch.zeros(2, 7, 4, 9), torch.zeros(9)
    with torch.inference_mode():
        for left in (0, 48, 80):
            total[..., left // 16 : left // 16 + 4] += network(pictures[..., left : left + 64])
            times[left // 16 : left // 16 + 4] += 1
        torch.testing.assert_close(network(pictures), total / times)
        turned = network(pictures.mT)
        assert turned.shape == (2, 7, 9, 4)
        torch.testing.assert_close(turned[:, :, :3], network(pictures.mT[:, :, :64])[:, :, :3])


def test_a_segmenter_with_class_tokens_gives_the_cosines_of_class_and_patch():
    decoder = segmenter.MaskTransformer(3, 8, depth=1, heads=2).eval()
    decoder.mask_norm = nn.Identity()
    with torch.inference_mode():
        assert decoder(torch.randn(1, 8, 4, 5)).abs().max() <= 1 + 1e-5
