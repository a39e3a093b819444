"""Convolutions that a processor gets wrong in bfloat16, and the detour that they take.

oneDNN 3.13 on processors with AMX gives noise for some convolutions of large strides over few channels (kernel 8,
stride 8, 16 channels: SegFormer's reduced attention has such; the fault is of the kind told in uxlfoundation/oneDNN
pull request 5568). Which ones, no table says. So each one that strides is tried once, when a model is loaded, against
float32.
"""

import torch
from torch import Tensor, nn

_TOLERANCE = 0.1  # of the largest value; bfloat16 itself stays below 0.02, the fault is above 0.5
_STEPS = 5  # of the stride, in each direction


class Float32Convolution(nn.Module):
    """A convolution calculated in float32 inside a bfloat16 network."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution.float()

    def forward(self, features: Tensor) -> Tensor:
        """The convolution's answer, (N, C, h, w), in the dtype of its input."""
        with torch.autocast(features.device.type, enabled=False):
            return self.convolution(features.float()).to(features.dtype)


@torch.no_grad()  # weights made in inference mode could not be differentiated through (`receptive_field`)
def replace_faulty(network: nn.Module) -> list[str]:
    """Give a bfloat16 network on the CPU its `Float32Convolution`s where this processor needs them; their names."""
    faulty = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d) and _is_faulty(module)]
    for name in faulty:
        network.set_submodule(name, Float32Convolution(network.get_submodule(name)))  # type: ignore[arg-type]
    return faulty


def _is_faulty(convolution: nn.Conv2d) -> bool:
    if max(convolution.stride) < 2:
        return False
    generator = torch.Generator().manual_seed(0)
    sides = [k + _STEPS * s for k, s in zip(convolution.kernel_size, convolution.stride, strict=True)]
    features = torch.rand(1, convolution.in_channels, *sides, generator=generator).to(torch.bfloat16) - 0.5
    weight, bias = convolution.weight, convolution.bias
    exact = convolution._conv_forward(features.float(), weight.float(), None if bias is None else bias.float())
    rough = convolution._conv_forward(features, weight, bias)
    return bool((rough.float() - exact).abs().max() > _TOLERANCE * exact.abs().max())
