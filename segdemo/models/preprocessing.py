"""Pictures to a network's input, by the checkpoint's `preprocessor_config.json`, in a batch on the model's device.

transformers reads the file, in all forms it has had over the years; the work is done here, as its torchvision backend
does it but on the pictures' own memory layout, which makes resizing 12 megapixels 20 times faster.

In one thing the file is not followed. MobileViT's and MobileNetV2's cut a square out of the middle, and transformers
spreads the square's labels over the whole picture. These networks are convolutions that take any size, so they see
the whole picture, resized by the same rule. Any other checkpoint that asks for a cut is refused.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
import torch.nn.functional as F
import torchvision.transforms.v2.functional as TF
import transformers
from torch import Tensor
from torchvision.transforms import InterpolationMode
from transformers.image_processing_utils import BaseImageProcessor
from transformers.image_utils import pil_torch_interpolation_mapping

from segdemo.errors import ModelError
from segdemo.models.normalising import normalised

_LONGEST = 8  # times the shorter side; longer pictures are squeezed, 10 by 50000 would become 512 by 2.6 million
_MOST_SIDE = 4096  # that a checkpoint may ask for
_SHORTEST = 32  # pixels, what the networks' strides need

# The image processors whose settings are understood here, and whose they are where the file does not say it.
_PROCESSORS: Final = {
    "beit": "Beit",
    "data2vec-vision": "Beit",
    "dpt": "DPT",
    "eomt": "Eomt",
    "eomt_dinov3": "Eomt",
    "mask2former": "Mask2Former",
    "maskformer": "MaskFormer",
    "mobilenet_v2": "MobileNetV2",
    "mobilevit": "MobileViT",
    "mobilevitv2": "MobileViT",
    "oneformer": "OneFormer",
    "segformer": "Segformer",
    "upernet": "Segformer",
    "vit": "ViT",
}
_TYPE: Final = re.compile(r"(\w+?)(?:ImageProcessor|FeatureExtractor)(?:Fast|Pil)?")
_ANY_SIZE: Final = ("MobileNetV2", "MobileViT")
_STEP: Final = {  # whose multiples the input's sides are
    "Mask2Former": "size_divisor",
    "MaskFormer": "size_divisor",
    "Segformer": "size_divisor",
}
_SMOOTH: Final = (InterpolationMode.NEAREST, InterpolationMode.BILINEAR, InterpolationMode.BICUBIC)


@dataclass(frozen=True)
class Preprocessing:
    """How a checkpoint wants its pictures.

    size: None (as they are) or transformers' own form: {"height", "width"} or {"shortest_edge"[, "longest_edge"]}.
    divisor: of both sides of the input. mean, std: of pixel values in [0, 255].
    bgr: blue comes first. square: side of a black square into whose upper left corner the resized picture is put.
    window: side of the squares in which the resized picture is taken, one after the other along its longer side.
    """

    size: dict[str, int] | None
    divisor: int
    interpolation: InterpolationMode
    mean: tuple[float, ...]
    std: tuple[float, ...]
    bgr: bool = False
    square: int | None = None
    window: int | None = None

    def resized_hw(self, size_hw: tuple[int, int], scale: float = 1, tile: int | None = None) -> tuple[int, int]:
        """The size to which pictures of this size are brought, rounded as transformers rounds it.

        scale: how many times as large as usual. tile: of the pictures, what is brought to the size of a whole one.
        """
        usual = size_hw if tile is None else (tile, tile)
        sides = [
            scale * new * whole / old for new, old, whole in zip(self._usual_hw(usual), usual, size_hw, strict=True)
        ]
        if self.size is None:
            return round(sides[0]), round(sides[1])
        height, width = (math.ceil(side / self.divisor) * self.divisor for side in sides)
        return height, width

    def _usual_hw(self, size_hw: tuple[int, int]) -> tuple[int, int]:
        if self.size is None:
            return size_hw
        if "height" in self.size:
            return self.size["height"], self.size["width"]
        return _by_edges(size_hw, self.size["shortest_edge"], self.size.get("longest_edge"))

    def input_hw(self, size_hw: tuple[int, int]) -> tuple[int, int]:
        """The size of the network's input for pictures of this size."""
        side = self.square or self.window
        return (side, side) if side else self.resized_hw(size_hw)

    def starts(self, size_hw: tuple[int, int]) -> tuple[int, ...]:
        """Where the windows begin along the longer side of the resized picture; none where it is taken whole."""
        if self.window is None:
            return ()
        longer = max(self.resized_hw(size_hw))
        count = math.ceil(longer / self.window)
        step = (longer - self.window) / max(1, count - 1)
        return (*(int(i * step) for i in range(count - 1)), longer - self.window)

    def __call__(self, pictures: Tensor, scale: float = 1, tile: int | None = None) -> Tensor:
        """(N, 3, H, W) uint8 to (N, 3, h, w) float32 on the same device; (N · windows, 3, h, w) with windows.

        scale, tile: as for `resized_hw`; of no effect where the network's input has one size for all pictures.
        """
        height, width = pictures.shape[-2:]
        how = (1, None) if self.square or self.window else (scale, tile)
        resized_hw = self.resized_hw((height, width), *how)
        resized = TF.resize(pictures, list(resized_hw), interpolation=self.interpolation, antialias=True)
        if self.bgr:
            resized = resized.flip(1)
        if self.square:
            resized = F.pad(resized, (0, self.square - resized_hw[1], 0, self.square - resized_hw[0]))
        if self.window:
            dim = 2 if height > width else 3
            cuts = [resized.narrow(dim, start, self.window) for start in self.starts((height, width))]
            resized = torch.stack(cuts, 1).flatten(0, 1)
        return normalised(resized, self.mean, self.std)


def of_folder(folder: Path, model_type: str) -> Preprocessing:
    """What a checkpoint's `preprocessor_config.json` says. Raises `ModelError` where it asks for what we cannot do.

    The class that it names is looked up among those known here and made from its settings alone: OneFormer's would
    fetch a list of class names otherwise.
    """
    settings, _ = BaseImageProcessor.get_image_processor_dict(folder, local_files_only=True)
    named = settings.get("image_processor_type") or settings.get("feature_extractor_type")
    match = _TYPE.fullmatch(named) if isinstance(named, str) else None
    kind = match[1] if match else _PROCESSORS.get(model_type)
    if (named and not match) or kind not in _PROCESSORS.values():
        raise ModelError(
            f"segdemo does not know how {named or model_type} prepares pictures; choose another checkpoint."
        )
    processor = getattr(transformers, f"{kind}ImageProcessor")
    return of_processor(processor.from_dict({**settings, "class_info_file": None}))


def of_processor(processor: BaseImageProcessor) -> Preprocessing:
    """What one of transformers' image processors is set to do. Raises `ModelError` where it does what we cannot."""
    settings = processor.to_dict()
    match = _TYPE.fullmatch(type(processor).__name__)
    kind = match[1] if match else ""
    size = {edge: value for edge, value in dict(settings["size"] or {}).items() if value is not None}
    interpolation = pil_torch_interpolation_mapping[settings["resample"]]
    if problem := _unusual(kind, settings, size, interpolation):
        raise ModelError(
            f"segdemo cannot prepare pictures as this checkpoint asks ({problem}); choose another checkpoint."
        )
    scale = 1 / settings["rescale_factor"] if settings["do_rescale"] else 1.0
    mean, std = _statistics(settings)
    split, padded = (kind == "Eomt" and settings.get(name) for name in ("do_split_image", "do_pad"))
    return Preprocessing(
        size=size if settings["do_resize"] else None,
        divisor=settings.get(_STEP.get(kind, "")) or 1,
        interpolation=interpolation,
        mean=tuple(scale * value for value in mean),
        std=tuple(scale * value for value in std),
        bgr=kind == "MobileViT" and bool(settings["do_flip_channel_order"]),
        square=size["longest_edge"] if padded and not split else None,
        window=size["shortest_edge"] if split else None,
    )


def _statistics(settings: dict[str, Any]) -> tuple[Sequence[float], Sequence[float]]:
    if not settings.get("do_normalize"):
        return (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    return settings["image_mean"], settings["image_std"]


def _unusual(kind: str, settings: dict[str, Any], size: dict[str, int], interpolation: InterpolationMode) -> str | None:
    """The first of a processor's settings that is not understood here, in words."""
    edges = set(size)
    crop = {edge: value for edge, value in dict(settings.get("crop_size") or {}).items() if value is not None}
    possible = all(isinstance(value, int) and 0 < value <= _MOST_SIDE for value in size.values())
    if not possible or not ({"height", "width"} <= edges or "shortest_edge" in edges):
        return f"size {size}"
    if settings.get("do_center_crop") and kind not in _ANY_SIZE and crop != size:
        return f"cut to {crop or 'a square'}"
    if interpolation not in _SMOOTH:
        return f"resampling {interpolation.value}"
    if settings.get("pad_size") or (kind in ("DPT", "ViT") and settings.get("do_pad")):
        return "padding"
    if (
        kind == "Eomt"
        and settings.get("do_split_image")
        and not (settings["do_resize"] and "longest_edge" not in edges)
    ):
        return "windows of a picture that is not resized to them"
    if kind == "Eomt" and settings.get("do_pad") and size.get("longest_edge") != size.get("shortest_edge"):
        return f"padding to {size}"
    if kind == "DPT" and settings["keep_aspect_ratio"]:  # transformers' DPT for segmentation takes squares alone
        return "the picture's own shape, where the network takes squares"
    if kind == "DPT" and any(size.get(edge, 1) % settings["ensure_multiple_of"] for edge in ("height", "width")):
        return f"size {size} in steps of {settings['ensure_multiple_of']}"
    if kind == "MobileViT" and settings.get("do_normalize"):
        return "normalised colours"
    return None


def _by_edges(size_hw: tuple[int, int], shortest: int, longest: int | None) -> tuple[int, int]:
    shorter, longer = min(size_hw), max(size_hw)
    edge = float(shortest)
    if longest is not None and longer / shorter * shortest > longest:
        edge = longest * shorter / longer
    new_shorter = max(round(edge), _SHORTEST)
    new_longer = min(max(int(edge * longer / shorter), _SHORTEST), _LONGEST * new_shorter)
    return (new_shorter, new_longer) if size_hw[0] <= size_hw[1] else (new_longer, new_shorter)
