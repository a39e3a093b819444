"""Multi-scale deformable attention (Zhu et al. 2020, https://arxiv.org/abs/2010.04159) as weighted sums of table rows.

transformers samples every scale with `grid_sample` into an array of its own and adds up the stack of them. On a CPU
`embedding_bag` does all of it: the scales are one table, a row for each place and head, and what a query sees through a
head is the sum of the rows around its points, weighted by attention and distance, once for each of the four corners.
The answer is the same to rounding.

Arrays are kept in long lines, (N, Q, heads · scales · points), with what a scale adds to each column in a line of that
length: elementwise operations on them are several times faster than on many short dimensions.
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
        for kind in ("weight", "bias"):
            offsets = getattr(attention.sampling_offsets, kind)  # x and y in turns
            parts = (offsets[0::2], offsets[1::2], getattr(attention.attention_weights, kind))
            self.register_buffer(kind, torch.cat(parts).detach(), persistent=False)

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        position_embeddings: Tensor,
        spatial_shapes: Tensor | None = None,
        spatial_shapes_list: list[tuple[int, int]] | None = None,
        **_: Any,
    ) -> tuple[Tensor, None]:
        """What every place of the scales sees of all of them: (N, S, C) to (N, S, C), the scales one after the other.

        spatial_shapes_list: (height, width) of each scale, or else they are the rows of `spatial_shapes`. The pictures
        fill their inputs: nothing is masked. Where the places are is taken from the scales in float32; transformers
        tells it in the network's dtype, and in bfloat16 some are a quarter of a pixel off.
        """
        own, queries = self.attention, hidden_states + position_embeddings
        # transformers 5.17 gives OneFormer's shapes as a tensor alone.
        shapes_hw = spatial_shapes_list or [tuple(shape) for shape in spatial_shapes.tolist()]  # type: ignore[union-attr]
        told = F.linear(queries, self.get_buffer("weight"), self.get_buffer("bias")).float()
        x, y, shares = (part.unflatten(-1, (own.n_heads, own.n_levels, own.n_points)) for part in told.chunk(3, -1))
        centre_x, centre_y = _centres(shapes_hw)
        heights, widths = (_columns(sides, x) for sides in zip(*shapes_hw, strict=True))
        x = torch.addcmul(x.flatten(2), centre_x, widths).view_as(shares)
        y = torch.addcmul(y.flatten(2), centre_y, heights).view_as(shares)
        values = own.value_proj(encoder_hidden_states).float().unflatten(-1, (own.n_heads, -1))
        seen = weighted_sums(values, shapes_hw, x, y, _softmax(shares))
        return own.output_proj(seen.to(queries.dtype)), None


def weighted_sums(values: Tensor, shapes_hw: list[tuple[int, int]], x: Tensor, y: Tensor, shares: Tensor) -> Tensor:
    """What each query sees, (N, Q, heads · D): bilinear samples of all its points, times their shares; outside is 0.

    values: (N, S, heads, D), the scales one after the other. x, y: places in the pixels of each scale, the first of
    which has its centre at 0.5. They and their shares: (N, Q, heads, scales, points).
    """
    count, queries, heads = shares.shape[:3]
    table, starts = _table(values, shapes_hw)
    heights, widths = (_columns(sides, shares) for sides in zip(*shapes_hw, strict=True))
    # A border of zeros goes around each scale: a place is a pixel further, and beyond the border there is nothing new.
    x = (x.flatten(2) + 0.5).clamp(min=0).minimum(widths + 1)
    y = (y.flatten(2) + 0.5).clamp(min=0).minimum(heights + 1)
    left, top = x.floor(), y.floor()
    right, below = x - left, (y - top) * shares.flatten(2)
    above = shares.flatten(2) - below
    above_right, below_right = above * right, below * right

    of_head = torch.arange(heads).repeat_interleave(shares[0, 0, 0].numel())
    of_picture = torch.arange(count).view(-1, 1, 1) * table.shape[1] * heads
    # A place that is no number needs a row as well; its weight is none either, and says so in the answer.
    row = torch.addcmul(left, top, widths + 2).nan_to_num_().int()
    row = row.mul_(heads).add_((_columns(starts, shares) * heads + of_head + of_picture).int())
    next_line = ((widths + 2) * heads).int()

    def corner(rows: Tensor, weights: Tensor) -> Tensor:
        bags = (count * queries * heads, -1)
        entries = table.view(-1, values.shape[-1])
        return F.embedding_bag(rows.view(bags), entries, per_sample_weights=weights.view(bags), mode="sum")

    seen = corner(row, above - above_right) + corner(row + heads, above_right)
    row = row + next_line
    seen = seen + corner(row, below - below_right) + corner(row + heads, below_right)
    return seen.view(count, queries, -1)


def _columns(of_scales: Any, like: Tensor) -> Tensor:
    """A number for each scale as a line (heads · scales · points,) of the dtype that the numbers have."""
    return torch.tensor(of_scales)[:, None].expand(like.shape[2:]).flatten()


def _centres(shapes_hw: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
    """x and y of the middle of every place of the scales, as shares of its scale's sides: (S, 1) float32."""
    across = [((torch.arange(width) + 0.5) / width).repeat(height) for height, width in shapes_hw]
    down = [((torch.arange(height) + 0.5) / height).repeat_interleave(width) for height, width in shapes_hw]
    return torch.cat(across)[:, None], torch.cat(down)[:, None]


def _softmax(logits: Tensor) -> Tensor:
    """Over the last two dimensions, which are short: torch's own takes twice as long there."""
    powers = (logits - logits.amax((-2, -1), keepdim=True)).exp()
    return powers / powers.sum((-2, -1), keepdim=True)


def _table(values: Tensor, shapes_hw: list[tuple[int, int]]) -> tuple[Tensor, list[int]]:
    """Values with a border of zeros around each scale, (N, places, heads, D), and where each scale starts in it."""
    framed = [(height + 2, width + 2) for height, width in shapes_hw]
    ends = [sum(height * width for height, width in framed[: i + 1]) for i in range(len(framed))]
    starts = [0, *ends[:-1]]
    # The corner beyond the last border lies a line and a pixel further; it weighs nothing.
    table = values.new_zeros(len(values), ends[-1] + framed[-1][1] + 1, *values.shape[2:])
    parts = values.split([height * width for height, width in shapes_hw], 1)
    for part, start, end, with_border, shape in zip(parts, starts, ends, framed, shapes_hw, strict=True):
        table[:, start:end].unflatten(1, with_border)[:, 1:-1, 1:-1] = part.unflatten(1, shape)
    return table, starts


def sample_by_rows(network: nn.Module) -> None:
    """Give a network on the CPU that is not trained on its `SampledAttention`s."""
    for name, module in list(network.named_modules()):
        if isinstance(module, _DEFORMABLE):
            network.set_submodule(name, SampledAttention(module))
