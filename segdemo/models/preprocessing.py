"""Pictures to a network's input, by the checkpoint's `preprocessor_config.json`, in a batch on the model's device.

transformers reads the file, in all forms it has had over the years; the work is done here, as its torchvision backend
does it but on the pictures' own memory layout, which makes resizing 12 megapixels 20 times faster.
"""

import math
from dataclasses import dataclass

import torchvision.transforms.v2.functional as TF
from torch import Tensor
from torchvision.transforms import InterpolationMode
from transformers.image_processing_utils import BaseImageProcessor
from transformers.image_utils import pil_torch_interpolation_mapping

from segdemo.errors import ModelError
from segdemo.models.normalising import normalised

_LONGEST = 8  # times the shorter side; longer pictures are squeezed, 10 by 50000 would become 512 by 2.6 million
_SHORTEST = 32  # pixels, what the networks' strides need


@dataclass(frozen=True)
class Preprocessing:
    """How a checkpoint wants its pictures.

    size: None (as they are) or transformers' own form: {"height", "width"} or {"shortest_edge"[, "longest_edge"]}.
    divisor: of both sides of the input. mean, std: of pixel values in [0, 255].
    """

    size: dict[str, int] | None
    divisor: int
    interpolation: InterpolationMode
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def input_hw(self, size_hw: tuple[int, int], scale: float = 1) -> tuple[int, int]:
        """The size of the network's input for pictures of this size, rounded as transformers rounds it.

        scale: how many times as large as usual.
        """
        height, width = size_hw
        if self.size is None:
            return round(scale * height), round(scale * width)
        if "height" in self.size:
            height, width = self.size["height"], self.size["width"]
        else:
            height, width = _by_edges(size_hw, self.size["shortest_edge"], self.size.get("longest_edge"))
        height, width = (math.ceil(scale * side / self.divisor) * self.divisor for side in (height, width))
        return height, width

    def __call__(self, pictures: Tensor, scale: float = 1) -> Tensor:
        """(N, 3, H, W) uint8 to (N, 3, h, w) float32 on the same device. scale: as for `input_hw`."""
        height, width = pictures.shape[-2:]
        size = list(self.input_hw((height, width), scale))
        resized = TF.resize(pictures, size, interpolation=self.interpolation, antialias=True)
        return normalised(resized, self.mean, self.std)


def of_processor(processor: BaseImageProcessor) -> Preprocessing:
    """What one of transformers' image processors is set to do. Raises `ModelError` where it does what we cannot."""
    settings = processor.to_dict()
    size = {edge: value for edge, value in dict(settings["size"] or {}).items() if value is not None}
    if settings.get("do_center_crop") or not ({"height", "width"} <= size.keys() or "shortest_edge" in size):
        raise ModelError(
            f"segdemo cannot prepare pictures as this checkpoint asks (size {size}); choose another checkpoint."
        )
    scale = 1 / settings["rescale_factor"] if settings["do_rescale"] else 1.0
    normalised = settings["do_normalize"]
    return Preprocessing(
        size=size if settings["do_resize"] else None,
        divisor=settings.get("size_divisor") or 1,
        interpolation=pil_torch_interpolation_mapping[settings["resample"]],
        mean=tuple(scale * m for m in (settings["image_mean"] if normalised else (0.0, 0.0, 0.0))),
        std=tuple(scale * s for s in (settings["image_std"] if normalised else (1.0, 1.0, 1.0))),
    )


def _by_edges(size_hw: tuple[int, int], shortest: int, longest: int | None) -> tuple[int, int]:
    shorter, longer = min(size_hw), max(size_hw)
    edge = float(shortest)
    if longest is not None and longer / shorter * shortest > longest:
        edge = longest * shorter / longer
    new_shorter = max(round(edge), _SHORTEST)
    new_longer = min(max(int(edge * longer / shorter), _SHORTEST), _LONGEST * new_shorter)
    return (new_shorter, new_longer) if size_hw[0] <= size_hw[1] else (new_longer, new_shorter)
