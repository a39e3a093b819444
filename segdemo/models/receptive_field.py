"""What one pixel of an answer looks at: the gradient of its score on the network's input.

Luo, Li, Urtasun and Zemel, "Understanding the Effective Receptive Field in Deep Convolutional Neural Networks", NIPS
2016, https://arxiv.org/abs/1701.04128. There it is averaged over random inputs; here it is of one picture, so that
attention, which depends on what is seen, becomes visible too.
"""

from typing import Any

import numpy as np

from segdemo import devices
from segdemo.errors import ModelError
from segdemo.images import InputImage
from segdemo.models import TURNS, Model


def receptive_field(model: Model, image: InputImage, place_yx: tuple[int, int]) -> np.ndarray:
    """How much each pixel of the picture moves the answer at one place: (H, W) float32, not negative, of sum 1.

    The score is the logit of the class that wins there, or of the winning query's mask. Its gradient is taken at the
    network's input, added up over the colours without sign, and brought to the picture's size. The model is left as it
    was: neither its weights nor its input are kept or changed.
    Raises `ModelError` for a model without scores for every pixel, and where the gradient vanishes everywhere.
    """
    import torch
    from torch.nn import functional as F

    with TURNS.alone(), devices.inference(model.device):
        inputs = model.preprocess(model.transfer([image]))
        if not isinstance(inputs, torch.Tensor):
            raise _no_scores(model)
        with torch.inference_mode(False), torch.enable_grad():
            inputs = inputs.clone().requires_grad_(True)
            score = _score(model, model.forward(inputs), image.size_hw, place_yx)
            [gradient] = torch.autograd.grad(score, inputs)
        strength = gradient.float().abs().sum(1, keepdim=True)
        field = F.interpolate(strength, image.size_hw, mode="bilinear", align_corners=False)[0, 0]
        total = field.sum()
        if not (torch.isfinite(total) and total > 0):
            raise ModelError(f"{model.spec.key} has no gradient at this place in {model.precision}; choose another.")
        return (field / total).cpu().numpy()


def reach(field: np.ndarray, place_yx: tuple[int, int], share: float) -> float:
    """The radius in pixels of the circle around a place that holds a share, in [0, 1], of a field (H, W) of sum 1."""
    rows, columns = np.ogrid[: field.shape[0], : field.shape[1]]
    distance = np.hypot(rows - place_yx[0], columns - place_yx[1]).ravel()
    order = np.argsort(distance)
    within = np.cumsum(field.ravel()[order], dtype=np.float64)
    return float(distance[order[min(np.searchsorted(within, share * within[-1]), len(order) - 1)]])


def _score(model: Model, outputs: Any, size_hw: tuple[int, int], place_yx: tuple[int, int]) -> Any:
    """The one number of the output that decides what stands at the place: a tensor without dimensions."""
    from segdemo.models.mask_queries import MaskQueries
    from segdemo.models.resizing import resized_window

    window = [slice(at, at + 1) for at in place_yx]
    if isinstance(outputs, MaskQueries):
        masks = resized_window(outputs.mask_logits, size_hw, *window)[0, :, 0, 0]
        certainty = outputs.class_logits[0].float().softmax(-1)[:, :-1].amax(-1)
        return masks[(certainty * masks.sigmoid()).argmax()]
    return resized_window(class_logits(model, outputs), size_hw, *window)[0, :, 0, 0].amax()


def class_logits(model: Model, outputs: Any) -> Any:
    """What a semantic adapter's forward stage gave, as logits (N, C, h, w). Raises `ModelError` for any other's."""
    import torch

    logits = getattr(outputs, "logits", outputs)
    if not isinstance(logits, torch.Tensor) or logits.ndim != 4:
        raise _no_scores(model)
    return logits


def _no_scores(model: Model) -> ModelError:
    return ModelError(f"{model.spec.title} has no score of every class for every pixel; choose a semantic model.")
