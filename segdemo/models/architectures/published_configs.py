"""The shapes of the published SegFormer and Mask2Former checkpoints, for timing them without their weights.

Sources: https://arxiv.org/abs/2105.15203 (Mix Transformer B0 to B5), https://arxiv.org/abs/2103.14030 (Swin) and the
authors' configuration files of Mask2Former. The number of parameters that each gives is the catalogue's.
"""

import re
from typing import Any

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

_SEGFORMER: dict[str, dict[str, Any]] = {
    "b0": {"depths": [2, 2, 2, 2], "hidden_sizes": [32, 64, 160, 256], "decoder_hidden_size": 256},
    "b1": {"depths": [2, 2, 2, 2], "hidden_sizes": [64, 128, 320, 512], "decoder_hidden_size": 256},
    "b2": {"depths": [3, 4, 6, 3], "hidden_sizes": [64, 128, 320, 512], "decoder_hidden_size": 768},
    "b3": {"depths": [3, 4, 18, 3], "hidden_sizes": [64, 128, 320, 512], "decoder_hidden_size": 768},
    "b4": {"depths": [3, 8, 27, 3], "hidden_sizes": [64, 128, 320, 512], "decoder_hidden_size": 768},
    "b5": {"depths": [3, 6, 40, 3], "hidden_sizes": [64, 128, 320, 512], "decoder_hidden_size": 768},
}

_SWIN: dict[str, dict[str, Any]] = {
    "tiny": {"embed_dim": 96, "depths": [2, 2, 6, 2], "num_heads": [3, 6, 12, 24], "window_size": 7},
    "small": {"embed_dim": 96, "depths": [2, 2, 18, 2], "num_heads": [3, 6, 12, 24], "window_size": 7},
    "base": {"embed_dim": 128, "depths": [2, 2, 18, 2], "num_heads": [4, 8, 16, 32], "window_size": 12},
    "large": {"embed_dim": 192, "depths": [2, 2, 18, 2], "num_heads": [6, 12, 24, 48], "window_size": 12},
}
_STAGES: dict[str, Any] = {"out_features": ["stage1", "stage2", "stage3", "stage4"]}

_MASK2FORMER_SIDE = 384  # of the square to which the published checkpoints bring every picture


def find(spec: ModelSpec) -> tuple[PreTrainedConfig, BaseImageProcessor]:
    """The configuration of a hub row's network and its preprocessing. Raises `ModelError` for unknown shapes."""
    if match := re.search(r"segformer-(b\d)-.*-(\d+)-(\d+)$", spec.checkpoint):
        return _segformer(spec, match[1]), _square(SegformerImageProcessor, int(match[2]), int(match[3]))
    if match := re.search(r"mask2former-swin-(\w+)-", spec.checkpoint):
        sides = (_MASK2FORMER_SIDE, _MASK2FORMER_SIDE)
        return _mask2former(spec, match[1]), _square(Mask2FormerImageProcessor, *sides)
    raise ModelError(f"The shape of {spec.key} is not known without its weights; load it with them.")


def _square(processor: type[BaseImageProcessor], height: int, width: int) -> BaseImageProcessor:
    return processor(size={"height": height, "width": width})


def _segformer(spec: ModelSpec, size: str) -> SegformerConfig:
    return SegformerConfig(**_SEGFORMER[size], **_classes(spec))


def _mask2former(spec: ModelSpec, size: str) -> Mask2FormerConfig:
    backbone = SwinConfig(**_SWIN[size], **_STAGES)
    many = size == "large" and spec.space.name in (COCO_PANOPTIC.name, COCO_THINGS.name)
    return Mask2FormerConfig(backbone_config=backbone, num_queries=200 if many else 100, **_classes(spec))


def _classes(spec: ModelSpec) -> dict[str, Any]:
    return {"id2label": dict(enumerate(spec.space.classes))}
