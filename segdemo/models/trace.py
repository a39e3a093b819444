"""A picture's way through a semantic network, with the arrays of every stage kept to look at."""

from dataclasses import dataclass

import numpy as np

from segdemo import devices
from segdemo.images import InputImage
from segdemo.models import TURNS, Model
from segdemo.models.receptive_field import class_logits


@dataclass(frozen=True, eq=False)
class Trace:
    """The arrays of one picture (H, W).

    inputs: (3, h, w) float32, resized and normalised. logits: (C, gh, gw) float32, on the network's own grid.
    labels: (H, W) uint8, the argmax of the enlarged logits. early: (H, W) uint8, the argmax of the grid, enlarged.
    """

    inputs: np.ndarray
    logits: np.ndarray
    labels: np.ndarray
    early: np.ndarray


def trace(model: Model, image: InputImage) -> Trace:
    """Run the stages on a picture. Raises `ModelError` for a model without logits for every pixel."""
    from torch.nn import functional as F

    with TURNS.alone(), devices.inference(model.device):
        inputs = model.preprocess(model.transfer([image]))
        outputs = model.forward(inputs)
        logits = class_logits(model, outputs).float()
        [answer] = model.postprocess(outputs, image.size_hw)
        coarse = logits.argmax(1, keepdim=True).float()
        early = F.interpolate(coarse, image.size_hw, mode="nearest-exact")[0, 0].byte()
        seen, scores = (one[0].float().contiguous().cpu().numpy() for one in (inputs, logits))
        return Trace(seen, scores, answer.labels, early.cpu().numpy())


def enlarged(logits: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Logits (C, h, w) float32 brought to a size bilinearly: (C, H, W) float32."""
    import torch
    from torch.nn import functional as F

    wide = F.interpolate(torch.from_numpy(logits)[None], size_hw, mode="bilinear", align_corners=False)
    return wide[0].numpy()
