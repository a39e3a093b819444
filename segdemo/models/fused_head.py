"""SegFormer's decode head with one linear layer where it has two.

As published (Xie et al. 2021, https://arxiv.org/abs/2105.15203) every scale's features are projected, enlarged and put
side by side, and a 1×1 convolution mixes them. Nothing in between bends a line, and enlarging is an average whose
weights add up to 1. So each scale's projection and its part of the mixing are one matrix, applied where the scale is
small. The answer is the same to rounding; half of the smallest SegFormer's multiplications are gone, and with them the
largest of its arrays.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.models.segformer.modeling_segformer import SegformerForSemanticSegmentation


class FusedHead(nn.Module):
    """In place of a `SegformerDecodeHead`, which it keeps for its parameters."""

    def __init__(self, head: Any) -> None:
        super().__init__()
        self.head = head
        norm = head.batch_norm
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        bias = norm.bias - scale * norm.running_mean
        mixing = (scale[:, None] * head.linear_fuse.weight.flatten(1)).chunk(len(head.linear_projections), dim=1)
        for i, part in enumerate(reversed(mixing)):  # the last scale comes first
            layer = head.linear_projections[i].proj
            self.register_buffer(f"weight{i}", (part @ layer.weight)[:, :, None, None], persistent=False)
            bias = bias + part @ layer.bias
        self.register_buffer("bias", bias, persistent=False)

    def forward(self, scales: tuple[Tensor, ...]) -> Tensor:
        """Features (N, C, h, w) of every scale, the largest first, to logits (N, classes, h, w) at its size."""
        mixed = F.conv2d(scales[0], self.get_buffer("weight0"), self.get_buffer("bias"))
        for i, features in enumerate(scales[1:], start=1):
            small = F.conv2d(features, self.get_buffer(f"weight{i}"))
            mixed += F.interpolate(small, mixed.shape[2:], mode="bilinear", align_corners=False)
        return self.head.classifier(self.head.activation(mixed))


@torch.no_grad()
def fuse_head(network: Any) -> None:
    """Give a network that is not trained on its `FusedHead`, where it is a SegFormer with a head as published."""
    if isinstance(network, SegformerForSemanticSegmentation) and network.config.reshape_last_stage:
        network.decode_head = FusedHead(network.decode_head)  # type: ignore[assignment]
