"""Mask R-CNN's small masks to instances and a label map at the picture's size, without a full-size map per instance."""

from collections.abc import Iterator

from torch import Tensor
from torch.nn import functional as F
from torchvision.models.detection.roi_heads import expand_boxes, expand_masks
from torchvision.models.detection.transform import resize_boxes

from segdemo.labels import VOID
from segdemo.models import Answer
from segdemo.models.painting import Instance, paint

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

    def worst_first() -> Iterator[Instance]:
        for i in reversed(range(len(scores))):
            if classes[i] != VOID:
                (top, left), probability = _at_size(small[i], boxes[i], size_hw)
                yield Instance(top, left, probability >= 0.5, probability, classes[i], float(scores[i]))

    return paint(worst_first(), size_hw, device)


def _at_size(small: Tensor, box: list[int], size_hw: tuple[int, int]) -> tuple[tuple[int, int], Tensor]:
    """The part of a mask (1, m, m) resized to its box that lies inside the picture, and where its corner is."""
    x1, y1, x2, y2 = box  # inclusive
    full = F.interpolate(small[None], (max(y2 - y1 + 1, 1), max(x2 - x1 + 1, 1)), mode="bilinear")[0, 0]
    top, left = max(y1, 0), max(x1, 0)
    return (top, left), full[top - y1 : size_hw[0] - y1, left - x1 : size_hw[1] - x1]
