"""The shapes of the published checkpoints on the hub, for timing them without their weights.

Sources: the authors' configuration files and papers (the catalogue names these), of Swin
https://arxiv.org/abs/2103.14030, of ConvNeXt https://arxiv.org/abs/2201.03545. The number of parameters that each gives
is the catalogue's.
"""

import re
from collections.abc import Callable
from typing import Any

import transformers as t
from transformers import PreTrainedConfig
from transformers.image_processing_utils import BaseImageProcessor

from segdemo.errors import ModelError
from segdemo.labels import COCO_PANOPTIC, COCO_THINGS
from segdemo.models.spec import ModelSpec

_Shape = tuple[PreTrainedConfig, BaseImageProcessor]

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
_CONVNEXT: dict[str, dict[str, Any]] = {
    "tiny": {"depths": [3, 3, 9, 3], "hidden_sizes": [96, 192, 384, 768]},
    "small": {"depths": [3, 3, 27, 3], "hidden_sizes": [96, 192, 384, 768]},
    "base": {"depths": [3, 3, 27, 3], "hidden_sizes": [128, 256, 512, 1024]},
}
_MOBILEVIT: dict[str, dict[str, Any]] = {
    "xx-small": {
        "hidden_sizes": [64, 80, 96], "neck_hidden_sizes": [16, 16, 24, 48, 64, 80, 320], "expand_ratio": 2.0,
    },
    "x-small": {"hidden_sizes": [96, 120, 144], "neck_hidden_sizes": [16, 32, 48, 64, 80, 96, 384]},
    "small": {"hidden_sizes": [144, 192, 240], "neck_hidden_sizes": [16, 32, 64, 96, 128, 160, 640]},
}  # fmt: skip
_STAGES: dict[str, Any] = {"out_features": ["stage1", "stage2", "stage3", "stage4"]}

_MASK2FORMER_SIDE = 384  # of the square to which the published checkpoints bring every picture


def find(spec: ModelSpec) -> _Shape:
    """The configuration of a hub row's network and its preprocessing. Raises `ModelError` for unknown shapes."""
    for pattern, shape in _SHAPES.items():
        if match := re.search(pattern, spec.checkpoint):
            return shape(spec, *match.groups())
    raise ModelError(f"The shape of {spec.key} is not known without its weights; load it with them.")


def _segformer(spec: ModelSpec, size: str, side: str) -> _Shape:
    config = t.SegformerConfig(**_SEGFORMER[size], **_classes(spec))
    return config, t.SegformerImageProcessor(size=_square(int(side)))


def _mask2former(spec: ModelSpec, size: str) -> _Shape:
    many = size == "large" and spec.space.name in (COCO_PANOPTIC.name, COCO_THINGS.name)
    config = t.Mask2FormerConfig(backbone_config=_swin(size), num_queries=200 if many else 100, **_classes(spec))
    return config, t.Mask2FormerImageProcessor(size=_square(_MASK2FORMER_SIDE))


def _maskformer(spec: ModelSpec, size: str) -> _Shape:
    on_coco, large = spec.space.name == COCO_PANOPTIC.name, size in ("base", "large")
    shorter, longer = (800, 1333) if on_coco else (640, 2560) if large else (512, 2048)
    config = t.MaskFormerConfig(backbone_config=_swin(size), **_classes(spec))
    return config, t.MaskFormerImageProcessor(size={"shortest_edge": shorter, "longest_edge": longer})


def _oneformer(spec: ModelSpec, size: str) -> _Shape:
    config = t.OneFormerConfig(backbone_config=_swin(size), **_classes(spec))
    return config, t.OneFormerImageProcessor(size={"shortest_edge": 512, "longest_edge": 2048})


def _eomt(spec: ModelSpec, side: str) -> _Shape:
    semantic = spec.task == "semantic"
    config = t.EomtConfig(image_size=int(side), num_queries=100 if semantic else 200, **_classes(spec))
    size: dict[str, Any] = {"shortest_edge": int(side), "longest_edge": None if semantic else int(side)}
    return config, t.EomtImageProcessor(size=size, do_split_image=semantic, do_pad=not semantic)


def _upernet(spec: ModelSpec, trunk: str, size: str) -> _Shape:
    backbone = _swin(size) if trunk == "swin" else t.ConvNextConfig(**_CONVNEXT[size], **_STAGES)
    channels = 512 if size == "base" else 384  # of the third stage
    config = t.UperNetConfig(backbone_config=backbone, auxiliary_in_channels=channels, **_classes(spec))
    return config, t.SegformerImageProcessor(size=_square(512))


def _beit(spec: ModelSpec, side: str) -> _Shape:
    places: dict[str, Any] = {"image_size": int(side), "use_relative_position_bias": True, "out_indices": [3, 5, 7, 11]}
    config = t.BeitConfig(**places, **_classes(spec))
    return config, t.BeitImageProcessor(size=_square(int(side)))


def _dpt(spec: ModelSpec) -> _Shape:
    trunk: dict[str, Any] = {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
    }
    config = t.DPTConfig(
        **trunk, image_size=480, backbone_out_indices=[5, 11, 17, 23], neck_hidden_sizes=[256, 512, 1024, 1024],
        use_batch_norm_in_fusion_residual=True, **_classes(spec),
    )  # fmt: skip
    return config, t.DPTImageProcessor(size=_square(480))


def _mobilevit(spec: ModelSpec, size: str) -> _Shape:
    config = t.MobileViTConfig(**_MOBILEVIT[size], image_size=512, output_stride=16, **_classes(spec))
    return config, t.MobileViTImageProcessor(size={"shortest_edge": 544}, crop_size=_square(512))


_SHAPES: dict[str, Callable[..., _Shape]] = {
    r"^nvidia/segformer-(b\d)-.*-(\d+)$": _segformer,
    r"/mask2former-swin-(\w+)-": _mask2former,
    r"/maskformer-swin-(\w+)-": _maskformer,
    r"/oneformer_ade20k_swin_(tiny)$": _oneformer,
    r"_eomt_large_(\d+)$": _eomt,
    r"/upernet-(swin|convnext)-(\w+)$": _upernet,
    r"/beit-base-finetuned-ade-(\d+)-": _beit,
    r"/dpt-large-ade$": _dpt,
    r"/deeplabv3-mobilevit-(.*small)$": _mobilevit,
}


def _swin(size: str) -> t.SwinConfig:
    return t.SwinConfig(**_SWIN[size], **_STAGES)


def _square(side: int) -> dict[str, int]:
    return {"height": side, "width": side}


def _classes(spec: ModelSpec) -> dict[str, Any]:
    return {"id2label": dict(enumerate(spec.space.classes))}
