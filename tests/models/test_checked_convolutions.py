import torch
from torch import nn

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
