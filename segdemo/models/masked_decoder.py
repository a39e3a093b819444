"""Mask2Former's transformer decoder (https://arxiv.org/abs/2112.01527, section 3.2) in less time.

transformers makes every layer's masks at full size to shrink them to the scale that the next layer looks at, copies
them for each head and keeps the attention weights. Here the features are shrunk, once, and a mask is made of them at
that scale: both steps are linear, so the masks are the same to rounding. Only the last layer's masks are made at full
size; a loss makes those of the others, where it wants them, of their queries.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import Mask2FormerForUniversalSegmentation
from transformers.models.mask2former.modeling_mask2former import (
    Mask2FormerMaskedAttentionDecoder,
    Mask2FormerMaskedAttentionDecoderOutput,
)


class MaskedDecoder(Mask2FormerMaskedAttentionDecoder):
    """transformers' decoder with another way to its answer; the parameters and their names are the same."""

    def forward(  # type: ignore[override]  # only with what Mask2Former calls it with
        self,
        inputs_embeds: Tensor,
        multi_stage_positional_embeddings: list[Tensor],
        pixel_embeddings: Tensor,
        encoder_hidden_states: list[Tensor],
        query_position_embeddings: Tensor,
        feature_size_list: list[torch.Size],
        **_: Any,
    ) -> Mask2FormerMaskedAttentionDecoderOutput:
        """Queries (Q, N, C) to those of the last layer, with their masks (N, Q, h, w), and to what every layer made of
        them, normalised, what it was given first.

        pixel_embeddings: (N, C, h, w). encoder_hidden_states: features (S, N, C) of each scale, the smallest first;
        multi_stage_positional_embeddings: where they are; feature_size_list: the scales' (height, width).
        """
        queries = inputs_embeds
        states = [self.layernorm(queries)]
        scales = [
            F.interpolate(pixel_embeddings, size, mode="bilinear", align_corners=False) for size in feature_size_list
        ]
        layers: Any = self.layers
        for i, layer in enumerate(layers):
            level = i % len(scales)
            with torch.no_grad():
                seen = _some(self._masks(states[-1], scales[level]).flatten(2) >= 0)
            features, places = encoder_hidden_states[level], multi_stage_positional_embeddings[level]
            found = _attend(
                layer.cross_attn, queries + query_position_embeddings, features + places, features, seen.unsqueeze(1)
            )
            queries = layer.cross_attn_layer_norm(queries + found)
            found, _ = layer.self_attn(hidden_states=queries, position_embeddings=query_position_embeddings)
            queries = layer.self_attn_layer_norm(queries + found)
            queries = layer.final_layer_norm(queries + layer.fc2(layer.activation_fn(layer.fc1(queries))))
            states.append(self.layernorm(queries))
        return Mask2FormerMaskedAttentionDecoderOutput(
            last_hidden_state=queries.transpose(0, 1),
            intermediate_hidden_states=tuple(states),
            masks_queries_logits=(self._masks(states[-1], pixel_embeddings),),
        )

    def _masks(self, state: Tensor, features: Tensor) -> Tensor:
        """Logits (N, Q, h, w) over features (N, C, h, w) of the masks of normalised queries."""
        embeddings = self.mask_predictor.mask_embedder(state.transpose(0, 1))
        return torch.einsum("nqc,nchw->nqhw", embeddings, features)


def _some(seen: Tensor) -> Tensor:
    """What queries see (N, Q, S) bool; one that sees nothing sees all."""
    return seen | ~seen.any(-1, keepdim=True)


def _attend(attention: nn.MultiheadAttention, queries: Tensor, keys: Tensor, values: Tensor, seen: Tensor) -> Tensor:
    """Multi-head attention of queries (Q, N, C) over keys and values (S, N, C) where `seen`, (N, 1, Q, S) bool, is."""
    weights, biases = attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3)
    q, k, v = (
        F.linear(tokens, weight, bias).unflatten(-1, (attention.num_heads, -1)).permute(1, 2, 0, 3)
        for tokens, weight, bias in zip((queries, keys, values), weights, biases, strict=True)
    )
    found = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)  # (N, heads, Q, C / heads)
    return attention.out_proj(found.permute(2, 0, 1, 3).flatten(2))


def decode_lightly(network: Any) -> None:
    """Let a network's decoder be a `MaskedDecoder`, where it is a Mask2Former as published.

    Dropout and layers left out by chance are not for it: neither the published networks nor the starter has them.
    """
    if isinstance(network, Mask2FormerForUniversalSegmentation) and not network.config.pre_norm:
        network.model.transformer_module.decoder.__class__ = MaskedDecoder
