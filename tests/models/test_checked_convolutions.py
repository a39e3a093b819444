import pytest
import segmentation_models_pytorch as smp
import torch
from torch import nn

from segdemo import models
from segdemo.models import checked_convolutions, found
from segdemo.models.checked_convolutions import Float32Convolution, replace_faulty


def reduction(channels, stride):
    """As in SegFormer's attention: every patch of stride x stride becomes one place."""
    return nn.Conv2d(channels, channels, stride, stride)


def test_after_the_check_every_strided_convolution_is_close_to_float32():
    torch.manual_seed(0)
    for channels, stride in [(8, 8), (16, 4), (16, 8), (24, 8), (32, 8), (3, 16), (64, 2)]:
        exact = nn.Sequential(reduction(channels, stride))
        rough = nn.Sequential(reduction(channels, stride))
        rough.load_state_dict(exact.state_dict())
        rough.to(torch.bfloat16)
        replace_faulty(rough)
        features = torch.randn(1, channels, 64, 64)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            answer = rough(features.to(torch.bfloat16))
        expected = exact(features)
        assert answer.dtype == torch.bfloat16
        assert (answer.float() - expected).abs().max() < 0.05 * expected.abs().max()


def test_what_a_processor_gets_wrong_is_calculated_in_float32(monkeypatch):
    honest = nn.Conv2d._conv_forward

    def at_fault(convolution, features, weight, bias):
        answer = honest(convolution, features, weight, bias)
        return answer.flip(-1) if features.dtype == torch.bfloat16 and weight.shape[-1] == 4 else answer

    monkeypatch.setattr(nn.Conv2d, "_conv_forward", at_fault)
    network = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.Sequential(reduction(8, 4)), nn.Conv2d(8, 8, 3)).to(
        torch.bfloat16
    )
    assert replace_faulty(network) == ["1.0"]
    assert isinstance(network[1][0], Float32Convolution)
    assert network[1][0].convolution.weight.dtype == torch.float32
    assert network[0].weight.dtype == torch.bfloat16


@pytest.fixture(params=["torch", "torchvision", "transformers", "smp"])
def key(request, tmp_path):
    """A semantic model of each library."""
    if request.param == "smp":
        smp.Unet("resnet18", encoder_weights=None, classes=2).save_pretrained(tmp_path)
        (tmp_path / "segdemo.toml").write_text('classes = ["soil", "leaf"]')
        return found.from_path(tmp_path).key
    return {"torch": "starter/unet", "torchvision": "starter/fcn", "transformers": "starter/segformer"}[request.param]


def test_every_adapter_has_its_convolutions_checked_in_bf16_on_a_cpu(key, monkeypatch):
    monkeypatch.setattr(checked_convolutions, "_is_faulty", lambda convolution: convolution.in_channels == 3)
    kinds = {
        precision: {type(one) for one in models.load(key, "cpu", precision).module.modules()}
        for precision in ("fp32", "bf16")
    }
    assert Float32Convolution not in kinds["fp32"]
    assert Float32Convolution in kinds["bf16"]
