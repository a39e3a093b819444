"""A network taken to its device and precision, in the form in which it runs fastest there.

Weights are stored in the precision, and autocast chooses operator by operator, so that what cannot bear it (RoI
pooling, suppression of overlapping boxes, sampling at places) stays in float32.
"""

import torch
from torch import Tensor, nn

from segdemo.errors import ModelError
from segdemo.models import Precision
from segdemo.models.checked_convolutions import replace_faulty

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def place(network: nn.Module, device: str, precision: Precision) -> None:
    """Make a network ready for inference: frozen, its weights on the device in the precision's dtype.

    Weights are laid out channels last on a CPU (15 to 40 % less time) and in half precision, as the convolutions of
    GPUs want it. On a CPU, convolutions that it gets wrong in half precision are replaced.
    """
    layout = torch.channels_last if device == "cpu" or precision != "fp32" else torch.contiguous_format
    network.eval().requires_grad_(False)
    network.to(device=device, dtype=_DTYPES[precision], memory_format=layout)  # type: ignore[call-overload]
    if device == "cpu" and precision != "fp32":
        replace_faulty(network)


def autocast(device: str, precision: Precision) -> torch.autocast:
    """The context that a network runs in."""
    dtype = _DTYPES[precision]
    return torch.autocast(torch.device(device).type, dtype, enabled=dtype != torch.float32)


def expect_finite(output: Tensor, key: str, precision: Precision) -> None:
    """Raises `ModelError` where numbers of a model's output did not fit into the precision."""
    if not torch.isfinite(output.sum(dtype=torch.float32)):
        raise ModelError(f"{key} has no finite output in {precision}; choose another precision.")
