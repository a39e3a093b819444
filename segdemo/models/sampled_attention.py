"""Multi-scale deformable attention (Zhu et al. 2020, https://arxiv.org/abs/2010.04159) as weighted sums of table rows.

transformers samples every scale with `grid_sample` into an array of its own and adds up the stack of them. On a CPU
one `embedding_bag` does all of it: the scales are one table, a row for each place and head, and what a query sees
through a head is the sum of the four rows around each of its points, weighted by attention times distance. The answer
is the same to rounding.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.models.mask2former.modeling_mask2former import (
    Mask2FormerPixelDecoderEncoderMultiscaleDeformableAttention,
)
from transformers.models.oneformer.modeling_oneformer import OneFormerPixelDecoderEncoderMultiscaleDeformableAttention

_DEFORMABLE = (
    Mask2FormerPixelDecoderEncoderMultiscaleDeformableAttention,
    OneFormerPixelDecoderEncoderMultiscaleDeformableAttention,
)


class SampledAttention(nn.Module):
    """In place of a pixel decoder's deformable attention, which it keeps for its parameters."""

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.attention = attention

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        position_embeddings: Tensor,
        spatial_shapes_list: list[tuple[int, int]],
        **_: Any,
    ) -> tuple[Tensor, None]:
        """What every place of the scales sees of all of them: (N, S, C) to (N, S, C), the scales one after the other.

        spatial_shapes_list: (height, width) of each scale. The pictures fill their inputs: nothing is masked. Where the
        places are is taken from the scales in float32; transformers tells it in the network's dtype, and in bfloat16
        some are a quarter of a pixel off.
        """
        own = self.attention
        queries, heads = hidden_states + position_embeddings, own.n_heads
        points = (*queries.shape[:2], heads, own.n_levels, own.n_points)
        offsets = own.sampling_offsets(queries).float().view(*points, 2)
        shares = own.attention_weights(queries).float().view(*points[:3], -1).softmax(-1).view(points)
        values = own.value_proj(encoder_hidden_states).float().unflatten(-1, (heads, -1))
        places = offsets + _centres(spatial_shapes_list)[:, None, :, None]
        return own.output_proj(weighted_sums(values, spatial_shapes_list, places, shares).to(queries.dtype)), None


def _centres(shapes_hw: list[tuple[int, int]]) -> Tensor:
    """Of every pixel of every scale, x and y in the pixels of each scale: (S, scales, 2) float32."""
    of_sides = []
    for height, width in shapes_hw:
        y, x = torch.meshgrid((torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width, indexing="ij")
        of_sides.append(torch.stack([x.flatten(), y.flatten()], 1))
    return torch.cat(of_sides)[:, None] * torch.tensor([(width, height) for height, width in shapes_hw])


def weighted_sums(values: Tensor, shapes_hw: list[tuple[int, int]], places: Tensor, shares: Tensor) -> Tensor:
    """What each query sees, (N, Q, heads · D): bilinear samples of all its points, times their shares; outside is 0.

    values: (N, S, heads, D), the scales one after the other. places: (N, Q, heads, scales, points, 2), x and y in the
    scale's pixels, the first of which has its centre at 0.5. shares: the same without the last dimension.
    """
    count, queries, heads = shares.shape[:3]
    table, starts = _table(values, shapes_hw)
    # A border of zeros goes around each scale: a place is a pixel further, and beyond the border there is nothing new.
    last = torch.tensor([(width + 1, height + 1) for height, width in shapes_hw], dtype=places.dtype).unsqueeze(1)
    places = (places + 0.5).clamp(torch.zeros_like(last), last)
    corners = places.detach().floor()
    x, y = (places - corners).unbind(-1)
    below = shares * y
    above = shares - below
    above_right, below_right = above * x, below * x
    weights = torch.stack([above - above_right, above_right, below - below_right, below_right], -1)

    widths = torch.tensor([width + 2 for _, width in shapes_hw])
    steps = heads * torch.stack([0 * widths, 0 * widths + 1, widths, widths + 1], 1)
    pictures = torch.arange(count).view(-1, 1, 1, 1, 1) * (table.shape[1] * heads)
    own = pictures + heads * starts.unsqueeze(1) + torch.arange(heads).view(-1, 1, 1)
    first = torch.addcmul(corners[..., 0], corners[..., 1], widths.unsqueeze(1).to(corners.dtype)).int()
    rows = first.mul_(heads).add_(own.int()).unsqueeze(-1) + steps.int().unsqueeze(1)
    bags = (count * queries * heads, -1)
    sums = F.embedding_bag(
        rows.view(bags), table.view(-1, values.shape[-1]), per_sample_weights=weights.view(bags), mode="sum"
    )
    return sums.view(count, queries, -1)


def _table(values: Tensor, shapes_hw: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
    """Values with a border of zeros around each scale, (N, places, heads, D), and where each scale starts in it."""
    parts = values.split([height * width for height, width in shapes_hw], 1)
    sides = [(height + 2, width + 2) for height, width in shapes_hw]
    starts = torch.tensor([0, *(height * width for height, width in sides)]).cumsum(0)
    # The corner below the last border's end lies a row and a pixel further; it weighs nothing.
    table = values.new_zeros(len(values), int(starts[-1]) + sides[-1][1] + 1, *values.shape[2:])
    for part, start, (height, width), shape in zip(parts, starts.tolist(), sides, shapes_hw, strict=False):
        framed = table[:, start : start + height * width].unflatten(1, (height, width))
        framed[:, 1:-1, 1:-1] = part.unflatten(1, shape)
    return table, starts[:-1]


def sample_by_rows(network: nn.Module) -> None:
    """Give a network on the CPU that is not trained on its `SampledAttention`s."""
    for name, module in list(network.named_modules()):
        if isinstance(module, _DEFORMABLE):
            parent, _, child = name.rpartition(".")
            setattr(network.get_submodule(parent), child, SampledAttention(module))
