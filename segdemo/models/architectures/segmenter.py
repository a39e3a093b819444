"""Segmenter (Strudel et al. 2021, https://arxiv.org/abs/2105.05633): a transformer from patches to masks.

A vision transformer looks at all patches at once; the decoder is either a linear layer for each patch or a mask
transformer, in which every class has a token of its own and a class's mask is its likeness to each patch. Blocks are
timm's; names of layers are those of the authors' code (rstrudel/segmenter), so that its checkpoints load.
"""

from itertools import product
from typing import Any

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional as F


class PatchEmbedding(nn.Module):
    """A picture's patches as tokens."""

    def __init__(self, patch: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, patch)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, width, H / patch, W / patch)."""
        return self.proj(pictures)


class VisionTransformer(nn.Module):
    """Patches and a class token through `depth` blocks (https://arxiv.org/abs/2010.11929).

    embedding: pictures to features (N, width, h, w), one token a place. grid_hw: places that the positions were learned
    for; other sizes get them resized. distilled: a second extra token, as DeiT has.
    """

    def __init__(
        self,
        embedding: nn.Module,
        grid_hw: tuple[int, int],
        width: int,
        depth: int,
        heads: int,
        distilled: bool = False,
    ) -> None:
        super().__init__()
        self.patch_embed = embedding
        self.grid_hw = grid_hw
        self.extra = 1 + distilled
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        if distilled:
            self.dist_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, grid_hw[0] * grid_hw[1] + self.extra, width))
        self.blocks = nn.ModuleList(_block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        for token in (self.cls_token, self.pos_embed):
            nn.init.trunc_normal_(token, std=0.02)

    def forward(self, pictures: Tensor) -> Tensor:
        """Features (N, width, h, w) of normalised pictures."""
        features = self.patch_embed(pictures)
        height, width = features.shape[-2:]
        extra = [self.cls_token, self.dist_token] if self.extra == 2 else [self.cls_token]
        tokens = torch.cat([*(t.expand(len(features), -1, -1) for t in extra), features.flatten(2).transpose(1, 2)], 1)
        tokens = tokens + self._positions(height, width)
        for block in self.blocks:
            tokens = block(tokens)
        tokens = self.norm(tokens)[:, self.extra :]
        return tokens.transpose(1, 2).unflatten(2, (height, width))

    def _positions(self, height: int, width: int) -> Tensor:
        if (height, width) == self.grid_hw:
            return self.pos_embed
        extra, places = self.pos_embed[:, : self.extra], self.pos_embed[:, self.extra :]
        grid = places.transpose(1, 2).unflatten(2, self.grid_hw)
        resized = F.interpolate(grid, (height, width), mode="bilinear", align_corners=False)
        return torch.cat([extra, resized.flatten(2).transpose(1, 2)], 1)


class LinearDecoder(nn.Module):
    """A linear classifier of each patch."""

    def __init__(self, num_classes: int, width: int) -> None:
        super().__init__()
        self.head = nn.Linear(width, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """(N, width, h, w) to logits (N, C, h, w)."""
        return self.head(features.movedim(1, -1)).movedim(-1, 1)


class MaskTransformer(nn.Module):
    """Class tokens and patches through `depth` blocks; a class's logits are the cosines of its token to the patches."""

    def __init__(self, num_classes: int, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.cls_emb = nn.Parameter(torch.zeros(1, num_classes, width))
        self.proj_dec = nn.Linear(width, width)
        self.proj_patch = nn.Parameter(width**-0.5 * torch.randn(width, width))
        self.proj_classes = nn.Parameter(width**-0.5 * torch.randn(width, width))
        self.blocks = nn.ModuleList(_block(width, heads) for _ in range(depth))
        self.decoder_norm = nn.LayerNorm(width)
        self.mask_norm = nn.LayerNorm(num_classes)
        nn.init.trunc_normal_(self.cls_emb, std=0.02)

    def forward(self, features: Tensor) -> Tensor:
        """(N, width, h, w) to logits (N, C, h, w)."""
        tokens = self.proj_dec(features.flatten(2).transpose(1, 2))
        tokens = torch.cat([tokens, self.cls_emb.expand(len(tokens), -1, -1)], 1)
        for block in self.blocks:
            tokens = block(tokens)
        tokens = self.decoder_norm(tokens)
        patches = F.normalize(tokens[:, : -self.num_classes] @ self.proj_patch, dim=-1)
        classes = F.normalize(tokens[:, -self.num_classes :] @ self.proj_classes, dim=-1)
        masks = self.mask_norm(patches @ classes.transpose(1, 2))
        return masks.transpose(1, 2).unflatten(2, features.shape[-2:])


class Segmenter(nn.Module):
    """Encoder and decoder, in windows of a picture that is larger than one, as in the paper's inference: each is as
    large as what the network has learned from, and attention costs no more than in proportion to the picture.

    stride: pixels between two tokens; both sides of a picture must be multiples of it. window: the side of a window,
    step: from one to the next; in pixels, multiples of the stride.
    """

    def __init__(self, encoder: VisionTransformer, decoder: nn.Module, stride: int, window: int, step: int) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.stride, self.window, self.step = stride, window, step

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits (N, C, h, w), one a token, of normalised pictures (N, 3, H, W); their mean where windows overlap.

        The authors take that mean after they have enlarged each window's logits to pixels: within half a token of a
        window's border the two differ.
        """
        height, width = pictures.shape[-2:]
        tops, lefts = self._starts(height), self._starts(width)
        if len(tops) == len(lefts) == 1:
            return self.decoder(self.encoder(pictures))
        total = times = torch.zeros((), device=pictures.device)
        for top, left in product(tops, lefts):
            part = pictures[..., top : top + self.window, left : left + self.window]
            logits = self.decoder(self.encoder(part))
            below, right = height - top - part.shape[-2], width - left - part.shape[-1]
            around = [side // self.stride for side in (left, right, top, below)]
            total = total + F.pad(logits, around)
            times = times + F.pad(torch.ones_like(logits[:1, :1]), around)
        return total / times

    def _starts(self, side: int) -> list[int]:
        """Where windows begin: at every step, and where the last one ends with the picture."""
        last = max(0, side - self.window)
        return [*range(0, last, self.step), last]


def from_settings(settings: dict[str, Any], window: int, step: int) -> Segmenter:
    """The network of an official checkpoint, by the `net_kwargs` of its `variant.yml`; window, step: as `Segmenter`."""
    decoder, patch, width = settings["decoder"], settings["patch_size"], settings["d_model"]
    height, length = settings["image_size"]
    encoder = VisionTransformer(
        PatchEmbedding(patch, width),
        (height // patch, length // patch),
        width,
        settings["n_layers"],
        settings["n_heads"],
        settings.get("distilled", False),
    )
    if "linear" in decoder["name"]:
        head: nn.Module = LinearDecoder(settings["n_cls"], width)
    else:
        head = MaskTransformer(settings["n_cls"], width, decoder["n_layers"], width // 64)
    return Segmenter(encoder, head, patch, window, step)


def _block(width: int, heads: int) -> nn.Module:
    # The authors' LayerNorm has torch's eps in both encoder and decoder; timm's blocks take the layer as it is.
    return Block(width, heads, mlp_ratio=4, qkv_bias=True, norm_layer=nn.LayerNorm)
