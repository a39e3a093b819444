"""Mask AP50 of instances through pycocotools, which published figures are made with."""

import contextlib
import io
from typing import Any

import numpy as np
from torch import Tensor


def mask_ap50(found: list[dict[str, Tensor]], truths: list[tuple[Tensor, Tensor]], smallest_area: float = 0) -> float:
    """AP at IoU 0.5, mean over classes that occur, in [0, 1].

    found: per picture torchvision's Mask R-CNN output: masks (N, 1, H, W) in [0, 1], labels (N,) from 1, scores (N,).
    truths: per picture masks (M, H, W) bool and class ids (M,) from 0.
    smallest_area: pixels; smaller instances count neither as missed nor as found, as COCO does for its size ranges.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for i, (one, (masks, classes)) in enumerate(zip(found, truths, strict=True)):
        images.append({"id": i, "height": masks.shape[-2], "width": masks.shape[-1]})
        for mask, class_id in zip(masks.numpy(), classes.tolist(), strict=True):
            number = len(annotations) + 1
            annotations.append(
                {"id": number, "image_id": i, "iscrowd": 0, "area": float(mask.sum())}
                | {"category_id": class_id, "segmentation": _rle(mask)}
            )
        for mask, label, score in zip(
            one["masks"][:, 0].float().numpy() >= 0.5, one["labels"].tolist(), one["scores"].tolist(), strict=True
        ):
            results.append({"image_id": i, "category_id": label - 1, "score": score, "segmentation": _rle(mask)})
    if not annotations or not results:
        return 0.0
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        categories = [{"id": c} for c in sorted({a["category_id"] for a in annotations})]
        truth.dataset = {"images": images, "annotations": annotations, "categories": categories}
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results), "segm")
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[smallest_area, 1e10]], ["all"]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(max(0.0, evaluation.stats[1]))


def _rle(mask: np.ndarray) -> Any:
    from pycocotools import mask as coco_mask

    return coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
