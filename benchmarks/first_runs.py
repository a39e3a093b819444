"""Evaluate the starters on the scenes that the Evaluate page opens with, and keep the runs beside the weights.

    python -m benchmarks.first_runs

To be run again whenever a starter, the generated scenes or what is counted on a picture changes.
"""

import tempfile
from pathlib import Path

from segdemo import models
from segdemo.datasets import open_dataset
from segdemo.evaluate import SCORE_THRESHOLD, evaluate
from segdemo.models.catalog import CATALOG
from segdemo.results import FIRST_RUNS, Results

SCENES = "street-scenes:20"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        results = Results(Path(folder) / "results.sqlite")
        if FIRST_RUNS.is_file():
            results.adopt(FIRST_RUNS)
        dataset = open_dataset(SCENES)
        current = []
        for spec in CATALOG:
            if spec.source == "starter":
                model = models.load(spec.key, device="cpu", score_threshold=SCORE_THRESHOLD)
                *_, last = evaluate(model, dataset, results)
                print(spec.key, last.done, flush=True)
                current.append(last.run.id)
        for run in results.runs():
            if run.id not in current:
                results.delete(run)
        results.copy_to(FIRST_RUNS)


if __name__ == "__main__":
    main()
