"""What training makes of a picture, to look at."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from segdemo.labels import VOID
from segdemo.training import augment
from segdemo.training.data import Pictures
from segdemo.training.recipe import Recipe


def augmented(rgb: np.ndarray, labels: np.ndarray | None, seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture (H, W, 3) uint8 and its labels (H, W) uint8 as the starters' training sees them; None: no labels.

    seed: the same seed draws the same. Returns `count` pictures (N, h, w, 3) uint8 and label maps (N, h, w) uint8.
    """
    recipe = Recipe("", 0)
    size_wh = recipe.picture_hw[::-1]
    labels = np.full(rgb.shape[:2], VOID, np.uint8) if labels is None else labels
    picture = np.asarray(Image.fromarray(rgb).resize(size_wh, Image.Resampling.BILINEAR))
    ids = torch.from_numpy(np.array(Image.fromarray(labels).resize(size_wh, Image.Resampling.NEAREST)))[None]
    pictures = Pictures(torch.from_numpy(picture.copy()).permute(2, 0, 1)[None], ids, torch.zeros_like(ids))
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(seed)
        seen, classes, _ = augment.batch(pictures, torch.zeros(count, dtype=torch.long), recipe.crop_hw, recipe.zoom)
    return _as_bytes(seen), classes.to(torch.uint8).numpy()


def _as_bytes(normalised: Tensor) -> np.ndarray:
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (augment.MEAN, augment.STD))
    rgb = (255 * (normalised * std + mean)).round().clamp(0, 255).to(torch.uint8)
    return rgb.permute(0, 2, 3, 1).contiguous().numpy()
