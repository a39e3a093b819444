"""Mask R-CNN's small masks to instances and a label map at the picture's size, without a full-size map per instance."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.models.detection.roi_heads import expand_boxes, expand_masks
from torchvision.models.detection.transform import resize_boxes

from segdemo.labels import VOID
from segdemo.models import Answer
from segdemo.prediction import Segments

_PADDING = 1  # around a small mask, so that its edge fades out instead of being cut off


def paste(
    found: dict[str, Tensor], input_hw: tuple[int, int], size_hw: tuple[int, int], class_ids: tuple[int, ...]
) -> Answer:
    """One picture's instances, and the label map that they make.

    found: boxes (K, 4) in pixels of the network's input, labels (K,), scores (K,) descending, masks (K, 1, m, m).
    class_ids: of the network's labels; instances of a label that is VOID are left out.

    Masks are cut at 0.5 and equal those of torchvision's `paste_masks_in_image`; boxes are the masks' own bounds, and
    an instance without a pixel is left out. The label map is painted worst first, so that the best stays on top; its
    confidence is score times mask probability, 0 where it is VOID.
    """
    device = found["boxes"].device
    small, growth = expand_masks(found["masks"].float(), _PADDING)
    boxes = expand_boxes(resize_boxes(found["boxes"], input_hw, size_hw), growth).long().tolist()
    scores = found["scores"].float().cpu().numpy()
    classes = [class_ids[label] for label in found["labels"].tolist()]
    kept = [i for i, class_id in enumerate(classes) if class_id != VOID]

    labels = torch.full(size_hw, VOID, dtype=torch.uint8, device=device)
    confidence = torch.zeros(size_hw, dtype=torch.float16, device=device)
    corners, masks = [], []
    for i in reversed(kept):
        (top, left), probability = _at_size(small[i], boxes[i], size_hw)
        mask = probability >= 0.5
        window = (slice(top, top + mask.shape[0]), slice(left, left + mask.shape[1]))
        labels[window].masked_fill_(mask, classes[i])
        confidence[window] = torch.where(mask, (probability * float(scores[i])).half(), confidence[window])
        corners.append((top, left))
        masks.append(mask)
    segments = _segments(corners[::-1], _to_host(masks[::-1]), np.array(classes)[kept], scores[kept])
    return Answer(labels.cpu().numpy(), confidence.cpu().numpy(), segments)


def _at_size(small: Tensor, box: list[int], size_hw: tuple[int, int]) -> tuple[tuple[int, int], Tensor]:
    """The part of a mask (1, m, m) resized to its box that lies inside the picture, and where its corner is."""
    x1, y1, x2, y2 = box  # inclusive
    full = F.interpolate(small[None], (max(y2 - y1 + 1, 1), max(x2 - x1 + 1, 1)), mode="bilinear")[0, 0]
    top, left = max(y1, 0), max(x1, 0)
    return (top, left), full[top - y1 : size_hw[0] - y1, left - x1 : size_hw[1] - x1]


def _to_host(masks: list[Tensor]) -> list[np.ndarray]:
    """The masks as arrays, in one transfer."""
    if not masks:
        return []
    flat = torch.cat([mask.flatten() for mask in masks]).cpu().numpy()
    ends = np.cumsum([mask.numel() for mask in masks])
    return [part.reshape(mask.shape) for part, mask in zip(np.split(flat, ends[:-1]), masks, strict=True)]


def _segments(
    corners: list[tuple[int, int]], masks: list[np.ndarray], class_ids: np.ndarray, scores: np.ndarray
) -> Segments:
    """Segments whose boxes are their masks' bounds."""
    boxes, cut, kept = [], [], []
    for i, ((top, left), mask) in enumerate(zip(corners, masks, strict=True)):
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if rows.size == 0:
            continue
        y1, y2, x1, x2 = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        boxes.append((left + x1, top + y1, left + x2, top + y2))
        cut.append(mask[y1:y2, x1:x2])
        kept.append(i)
    return Segments(
        boxes_xyxy=np.array(boxes, np.int32).reshape(-1, 4),
        masks=tuple(cut),
        class_ids=class_ids[kept].astype(np.uint8),
        scores=scores[kept],
    )
