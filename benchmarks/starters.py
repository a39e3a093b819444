"""Score the bundled starters exactly as the app runs them, and write the scores into their records.

    python -m benchmarks.starters --val CAMVID_VAL_FOLDER [--write] [KEY ...]

Semantic score: mean IoU from counts pooled over all pictures, without the classes in neither truth nor prediction
(MMSegmentation's convention). Instances: mask AP50 by pycocotools. Panoptic: PQ by the authors' rules, and the mask
AP50 of the same queries read as instances. Scenes: generated, none of which a starter learned from or was chosen by.
"""

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from segdemo import models, scoreboard
from segdemo.average_precision import average_precision
from segdemo.datasets import Dataset, open_dataset
from segdemo.evaluate import SCORE_THRESHOLD, evaluate
from segdemo.models import weights
from segdemo.models.catalog import CATALOG
from segdemo.results import Results
from segdemo.scoring import unpack

SCENES = "street-scenes:60"
NOTICEABLE = 100  # pixels, of an instance that a person would look for


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--val", type=Path, required=True)
    parser.add_argument("--write", action="store_true", help="store the scores in each starter's record.json")
    parser.add_argument("keys", nargs="*", help="of starters; all unless told")
    arguments = parser.parse_args()
    photographs, scenes = open_dataset(arguments.val), open_dataset(SCENES)
    with tempfile.TemporaryDirectory() as folder:
        # A run is known by its model's key: the queries of one model read in another way need a store of their own.
        results, apart = (Results(Path(folder) / f"{name}.sqlite") for name in ("results", "apart"))
        for spec in CATALOG:
            if spec.source != "starter" or (arguments.keys and spec.key not in arguments.keys):
                continue
            model = models.load(spec.key, device="cpu", score_threshold=SCORE_THRESHOLD)
            scores = _on_photographs(_run(model, photographs, results))
            scores |= _on_scenes(_run(model, scenes, results))
            if spec.task == "panoptic":
                of_instances: Any = replace(model, spec=replace(spec, task="instance"))  # type: ignore[type-var]
                scores |= _of_instances(_run(of_instances, scenes, apart), apart)
            elif spec.task == "instance":
                scores |= _of_instances(_run(model, scenes, results), results)
            print(spec.key, json.dumps(scores), flush=True)
            if arguments.write:
                path = weights.fetch(spec) / "record.json"
                path.write_text(json.dumps(json.loads(path.read_text()) | {"scores": scores}, indent=1) + "\n")


def _run(model: models.Model, dataset: Dataset, results: Results) -> scoreboard.RunScores:
    *_, last = evaluate(model, dataset, results)
    return scoreboard.gather(results, last.run)


def _on_photographs(run: scoreboard.RunScores) -> dict[str, Any]:
    boundary = scoreboard.report([run], "mmsegmentation")["models"][0]["boundary_iou"]
    return {"camvid_val_mean_iou": _mean_iou(run), "camvid_val_boundary_iou": round(boundary, 4)}


def _mean_iou(run: scoreboard.RunScores) -> float:
    score = run.mean_iou("mmsegmentation")
    return round(score.value, 4) if score else float("nan")


def _on_scenes(run: scoreboard.RunScores) -> dict[str, Any]:
    scores = {"scenes_mean_iou": _mean_iou(run)}
    if run.total.panoptic is not None:
        scores["scenes_pq"] = round(run.total.panoptic.quality().pq, 4)
    return scores


def _of_instances(run: scoreboard.RunScores, results: Results) -> dict[str, Any]:
    answers = [unpack(p.scores).instances for p in results.pictures(run.run) if p.scores is not None]
    found, classes = list(filter(None, answers)), len(run.run.identity.space.classes)
    return {
        "scenes_mask_ap50": round(average_precision(found, classes).ap50, 4),
        f"scenes_mask_ap50_over_{NOTICEABLE}_px": round(average_precision(found, classes, NOTICEABLE).ap50, 4),
    }


if __name__ == "__main__":
    main()
