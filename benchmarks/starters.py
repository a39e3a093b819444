"""Score the bundled starters exactly as the app runs them, and write the scores into their records.

    python -m benchmarks.starters --val CAMVID_VAL_FOLDER [--write]

Semantic score: mean IoU from counts pooled over all pictures, without the classes in neither truth nor prediction
(MMSegmentation's convention). Instance score: mask AP50 by pycocotools. Scenes: generated, none that a starter learned
from.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from segdemo import models
from segdemo.confusion import ClassCounts, count
from segdemo.datasets.folder import LabelledFolder, open_folder
from segdemo.datasets.street_scenes import Scene, street_scene
from segdemo.images import InputImage
from segdemo.models import from_torchvision, weights
from segdemo.models.catalog import CATALOG
from segdemo.prediction import Segments
from segdemo.training.average_precision import mask_ap50

SCENES = 60
FIRST_SEED = 900_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--val", type=Path, required=True)
    parser.add_argument("--write", action="store_true", help="store the scores in each starter's record.json")
    arguments = parser.parse_args()
    folder = open_folder(arguments.val)
    scenes = [street_scene(FIRST_SEED + i) for i in range(SCENES)]
    # A precision-recall curve needs the doubtful instances too, which the app does not show.
    from_torchvision.SCORE_THRESHOLD = 0.05
    for spec in CATALOG:
        if spec.source != "starter":
            continue
        model = models.load(spec.key, device="cpu")
        scores = measure(model, folder, scenes)
        print(spec.key, json.dumps(scores), flush=True)
        if arguments.write:
            path = weights.fetch(spec) / "record.json"
            path.write_text(json.dumps(json.loads(path.read_text()) | {"scores": scores}, indent=1) + "\n")


def measure(model: models.Model, folder: LabelledFolder, scenes: list[Scene]) -> dict[str, float]:
    """All scores that the model's task has, rounded to four digits."""
    pictures = [folder.read(i) for i in range(len(folder))]
    scores = {"camvid_val_mean_iou": mean_iou(model, pictures)}
    scores["scenes_mean_iou"] = mean_iou(model, [(s.rgb, s.labels) for s in scenes])
    if model.spec.task != "semantic":
        scores |= average_precision(model, scenes)
    return {name: round(score, 4) for name, score in scores.items()}


def mean_iou(model: models.Model, pictures: list[tuple[np.ndarray, np.ndarray]]) -> float:
    classes = len(model.space.classes)
    total = ClassCounts(np.zeros((classes, classes + 1), np.int64))
    for rgb, truth in pictures:
        [prediction] = models.predict(model, [InputImage(rgb, "", "")])
        total = total + count(truth, prediction.labels, classes)
    return total.mean_iou().value


def average_precision(model: models.Model, scenes: list[Scene]) -> dict[str, float]:
    found, truths = [], []
    for scene in scenes:
        [prediction] = models.predict(model, [InputImage(scene.rgb, "", "")])
        assert prediction.segments is not None
        found.append(_as_torchvision(prediction.segments, scene.labels.shape, model.space.things))
        numbers = np.arange(1, len(scene.instance_classes) + 1)
        masks = torch.from_numpy(scene.instances == numbers[:, None, None])
        truths.append((masks, torch.tensor(scene.instance_classes, dtype=torch.long)))
    return {
        "scenes_mask_ap50": mask_ap50(found, truths),
        "scenes_mask_ap50_over_100_px": mask_ap50(found, truths, smallest_area=100),
    }


def _as_torchvision(segments: Segments, size_hw: tuple[int, int], things: frozenset[int]) -> dict[str, torch.Tensor]:
    masks = torch.zeros(len(segments), 1, *size_hw)
    for mask, (x1, y1, x2, y2), full in zip(segments.masks, segments.boxes_xyxy, masks, strict=True):
        full[0, y1:y2, x1:x2] = torch.from_numpy(mask)
    counted = torch.from_numpy(np.isin(segments.class_ids, list(things)))
    return {
        "masks": masks[counted],
        "labels": torch.from_numpy(segments.class_ids.astype(np.int64))[counted] + 1,
        "scores": torch.from_numpy(segments.scores)[counted],
    }


if __name__ == "__main__":
    main()
