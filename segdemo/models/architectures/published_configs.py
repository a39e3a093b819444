"""The shapes of the published SegFormer and Mask2Former checkpoints, for timing them without their weights.

Sources: Tables 6 and 1 of https://arxiv.org/abs/2105.15203 (Mix Transformer B0 to B5), https://arxiv.org/abs/2103.14030
(Swin), and the authors' configuration files of Mask2Former. The number of parameters that each gives is the catalogue's.
"""

import re

from transformers import (
    Mask2FormerConfig,
    Mask2FormerImageProcessor,
    PreTrainedConfig,
    SegformerConfig,
    SegformerImageProcessor,
    SwinConfig,
)
from transformers.image_processing_utils import BaseImageProcessor

from segdemo.errors import ModelError
from segdemo.labels import COCO_PANOPTIC, COCO_THINGS
from segdemo.models.catalog import ModelSpec

# depths, hidden sizes, width of the decoder
_SEGFORMER = {
    "b0": ((2, 2, 2, 2), (32, 64, 160, 256), 256),
    "b1": ((2, 2, 2, 2), (64, 128, 320, 512), 256),
    "b2": ((3, 4, 6, 3), (64, 128, 320, 512), 768),
    "b3": ((3, 4, 18, 3), (64, 128, 320, 512), 768),
    "b4": ((3, 8, 27, 3), (64, 128, 320, 512), 768),
    "b5": ((3, 6, 40, 3), (64, 128, 320, 512), 768),
}

# first width, depths, heads, window
_SWIN = {
    "tiny": (96, (2, 2, 6, 2), (3, 6, 12, 24), 7),
    "small": (96, (2, 2, 18, 2), (3, 6, 12, 24), 7),
    "base": (128, (2, 2, 18, 2), (4, 8, 16, 32), 12),
    "large": (192, (2, 2, 18, 2), (6, 12, 24, 48), 12),
}

_MASK2FORMER_SIDE = 384  # of the square to which the published checkpoints bring every picture


def find(spec: ModelSpec) -> tuple[PreTrainedConfig, BaseImageProcessor]:
    """The configuration of a hub row's network and its preprocessing. Raises `ModelError` for unknown shapes."""
    if match := re.search(r"segformer-(b\d)-.*-(\d+)-(\d+)$", spec.checkpoint):
        return _segformer(spec, match[1]), _square(SegformerImageProcessor, int(match[2]), int(match[3]))
    if match := re.search(r"mask2former-swin-(\w+)-", spec.checkpoint):
        sides = (_MASK2FORMER_SIDE, _MASK2FORMER_SIDE)
        return _mask2former(spec, match[1]), _square(Mask2FormerImageProcessor, *sides)
    raise ModelError(
        f"The shape of {spec.key} is not known without its files; run `python -m segdemo fetch {spec.key}`."
    )


def _square(processor: type[BaseImageProcessor], height: int, width: int) -> BaseImageProcessor:
    return processor(size={"height": height, "width": width})


def _segformer(spec: ModelSpec, size: str) -> SegformerConfig:
    depths, hidden_sizes, decoder = _SEGFORMER[size]
    return SegformerConfig(
        depths=list(depths),
        hidden_sizes=list(hidden_sizes),
        decoder_hidden_size=decoder,
        num_labels=len(spec.space.classes),
    )


def _mask2former(spec: ModelSpec, size: str) -> Mask2FormerConfig:
    width, depths, heads, window = _SWIN[size]
    backbone = SwinConfig(
        embed_dim=width,
        depths=list(depths),
        num_heads=list(heads),
        window_size=window,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    many = size == "large" and spec.space.name in (COCO_PANOPTIC.name, COCO_THINGS.name)
    return Mask2FormerConfig(
        backbone_config=backbone, num_queries=200 if many else 100, num_labels=len(spec.space.classes)
    )
