"""Stored runs over one data set side by side: each model's scores under a convention, and which differences last."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from segdemo.average_precision import AveragePrecision, InstanceAnswers, average_precision
from segdemo.confusion import Convention, Score, per_image_mean_iou
from segdemo.errors import ResultsError
from segdemo.exports import csv_text
from segdemo.results import Results, Run
from segdemo.scoring import PictureScores, add, unpack
from segdemo.significance import Bootstrap, Interval, bootstrap


@dataclass(frozen=True, eq=False)
class RunScores:
    """A run's counts, summed, and what comparisons need of each picture.

    total: the sums; its `instances` is None. positions, names: of the scored pictures, in the order of the data set.
    tallies: (N, 3, C) int64, each picture's right, true and predicted pixels; None where there are no label maps.
    skipped: names and reasons. precision: mask AP, where instances were scored.
    """

    run: Run
    total: PictureScores
    positions: np.ndarray
    names: tuple[str, ...]
    tallies: np.ndarray | None
    skipped: tuple[tuple[str, str], ...]
    precision: AveragePrecision | None

    def mean_iou(self, convention: Convention) -> Score | None:
        """None where no label maps were scored."""
        if self.total.classes is None or self.tallies is None:
            return None
        if convention == "per_image":
            return per_image_mean_iou(self.tallies)
        return self.total.classes.mean_iou(convention)


def gather(results: Results, run: Run) -> RunScores:
    """Read a run from the store, a picture at a time. Raises `ResultsError` where no picture of it was scored."""
    total, tallies = PictureScores(), []
    positions: list[int] = []
    names: list[str] = []
    instances: list[InstanceAnswers] = []
    skipped = []
    for picture in results.pictures(run):
        if picture.scores is None:
            skipped.append((picture.name, picture.skipped or ""))
            continue
        scores = unpack(picture.scores)
        total = add(total, scores) if names else replace(scores, instances=None)
        positions.append(picture.position)
        names.append(picture.name)
        if scores.classes is not None:
            tallies.append(scores.classes.tally())
        if scores.instances is not None:
            instances.append(scores.instances)
    if not names:
        reason = f", first {skipped[0][0]}: {skipped[0][1]}" if skipped else ""
        raise ResultsError(f"{run.identity.model} has no scored picture of {run.identity.dataset}{reason}.")
    return RunScores(
        run=run,
        total=total,
        positions=np.array(positions),
        names=tuple(names),
        tallies=np.stack(tallies) if len(tallies) == len(names) else None,
        skipped=tuple(skipped),
        precision=average_precision(instances, len(run.identity.space.classes)) if instances else None,
    )


def compare(runs: Sequence[RunScores], convention: Convention) -> Bootstrap:
    """Intervals of each model's mean IoU and of the difference of each pair, over the pictures that all runs scored.

    Runs whose classes differ from the first one's, and those without label maps, take no part.
    """
    comparable = [r for r in runs if r.tallies is not None and r.run.identity.space == runs[0].run.identity.space]
    if not comparable:
        return Bootstrap({}, {})
    shared = comparable[0].positions
    for run in comparable[1:]:
        shared = np.intersect1d(shared, run.positions)
    if not shared.size:
        return Bootstrap({}, {})
    tallies = {
        r.run.identity.model: r.tallies[np.isin(r.positions, shared)] for r in comparable if r.tallies is not None
    }
    return bootstrap(tallies, convention)


def report(runs: Sequence[RunScores], convention: Convention) -> dict[str, Any]:
    """Everything as plain values for JSON; scores that there are not are None."""
    intervals = compare(runs, convention)
    first = runs[0].run.identity
    return {
        "dataset": first.dataset,
        "dataset_digest": first.dataset_digest,
        "convention": convention,
        "images": first.limit,
        "skipped": len(runs[0].skipped),
        "skipped_images": [{"name": name, "reason": reason} for name, reason in runs[0].skipped],
        "models": [_model(run, convention, intervals.models.get(run.run.identity.model)) for run in runs],
        "differences": [
            {"a": a, "b": b, "mean_iou": _plain(gap.value), "interval": _bounds(gap)}
            for (a, b), gap in intervals.differences.items()
        ],
    }


def class_table(runs: Sequence[RunScores]) -> str:
    """CSV: one row per model and class."""
    header = ["model", "class", "iou", "precision", "recall", "boundary iou", "support pixels"]
    rows = [
        [run.run.identity.model, name, row["iou"], row["precision"], row["recall"], row["boundary_iou"], row["support"]]
        for run in runs
        for name, row in (_per_class(run) or {}).items()
    ]
    return csv_text(header, rows)


def _model(run: RunScores, convention: Convention, interval: Interval | None) -> dict[str, Any]:
    counts, total, space = run.total.classes, run.total, run.run.identity.space
    mean = run.mean_iou(convention)
    quality = total.panoptic
    return {
        "model": run.run.identity.model,
        "weights": run.run.identity.weights,
        "precision": run.run.identity.precision,
        "classes": list(space.classes),
        "coverage": _plain(total.coverage.share()) if total.coverage else None,
        "mean_iou": _plain(mean.value) if mean else None,
        "mean_iou_classes": mean.classes if mean else None,
        "mean_iou_interval": _bounds(interval) if interval else None,
        "frequency_weighted_iou": _plain(counts.frequency_weighted_iou()) if counts else None,
        "pixel_accuracy": _plain(counts.accuracy()) if counts else None,
        "mean_accuracy": _plain(counts.mean_accuracy().value) if counts else None,
        "per_class": _per_class(run),
        "boundary_iou": _plain(_mean(total.boundaries.iou())) if total.boundaries else None,
        "boundary_width": list(total.boundaries.widths) if total.boundaries else None,
        "calibration_error": _plain(total.calibration.expected_calibration_error()) if total.calibration else None,
        "pq": _quality(run) if quality else None,
        "ap": _precision(run.precision) if run.precision else None,
    }


def _per_class(run: RunScores) -> dict[str, dict[str, Any]] | None:
    counts, boundaries = run.total.classes, run.total.boundaries
    if counts is None or boundaries is None:
        return None
    columns = {
        "iou": counts.iou(),
        "precision": counts.precision(),
        "recall": counts.recall(),
        "boundary_iou": boundaries.iou(),
        "support": counts.support(),
    }
    return {
        name: {column: _plain(values[i]) for column, values in columns.items()}
        for i, name in enumerate(run.run.identity.space.classes)
    }


def _quality(run: RunScores) -> dict[str, Any] | None:
    counts, space = run.total.panoptic, run.run.identity.space
    if counts is None:
        return None
    stuff = set(range(len(space.classes))) - space.things
    parts = {"all": counts.quality(), "things": counts.quality(space.things), "stuff": counts.quality(stuff)}
    return {name: {"pq": _plain(q.pq), "sq": _plain(q.sq), "rq": _plain(q.rq)} for name, q in parts.items()}


def _precision(found: AveragePrecision) -> dict[str, Any]:
    names = ("ap", "ap50", "ap75", "small", "medium", "large")
    return {name: _plain(getattr(found, name)) for name in names}


def _mean(values: np.ndarray) -> float:
    """Over the classes that have a value; NaN where none has."""
    present = values[~np.isnan(values)]
    return float(present.mean()) if present.size else float("nan")


def _bounds(interval: Interval) -> list[float | None]:
    return [_plain(interval.low), _plain(interval.high)]


def _plain(value: float | np.generic) -> Any:
    """A number as JSON knows it; NaN as None."""
    number = value.item() if isinstance(value, np.generic) else value
    return None if number != number else number
