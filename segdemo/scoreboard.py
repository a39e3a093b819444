"""Stored runs over one data set side by side: each model's scores under a convention, and which differences last."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from functools import reduce
from typing import Any, Final

import numpy as np

from segdemo.average_precision import AveragePrecision, InstanceAnswers, average_precision
from segdemo.confusion import Convention, Score, per_image_mean_iou
from segdemo.errors import ResultsError
from segdemo.exports import csv_text
from segdemo.labels import VOID, LabelSpace
from segdemo.models import catalog
from segdemo.models.spec import ModelSpec
from segdemo.results import Results, Run, RunIdentity
from segdemo.scoring import PictureScores, add, unpack
from segdemo.significance import Interval, bootstrap


@dataclass(frozen=True, eq=False)
class RunScores:
    """A run's counts, summed, and what comparisons need of each picture.

    total: the sums; its `instances` is None. positions, names: of the scored pictures, in the order of the data set.
    tallies: (N, 3, C) int64, each picture's right, true and predicted pixels; None where there are no label maps.
    skipped: names and reasons. precision: mask AP, where instances were scored.
    unanswered: ids of classes that the model never gives, such as Mask R-CNN's stuff. No score is taken of them, but
    their pixels count as wrong where the model calls them something else.
    """

    run: Run
    total: PictureScores
    positions: np.ndarray
    names: tuple[str, ...]
    tallies: np.ndarray | None
    skipped: tuple[tuple[str, str], ...]
    precision: AveragePrecision | None
    unanswered: frozenset[int]

    def mean_iou(self, convention: Convention, without: Collection[int] = ()) -> Score | None:
        """None where no label maps were scored. without: as for `ClassCounts.mean_iou`."""
        if self.total.classes is None or self.tallies is None:
            return None
        without = self.unanswered.union(without)
        if convention == "per_image":
            return per_image_mean_iou(self.tallies, without)
        return self.total.classes.mean_iou(convention, without)

    def of_classes(self, values: np.ndarray) -> np.ndarray:
        """Scores of each class, (C,) float64, with NaN for what the model never gives."""
        return np.where(np.isin(np.arange(len(values)), list(self.unanswered)), np.nan, values)


def gather(results: Results, run: Run) -> RunScores:
    """Read a run from the store, a picture at a time. Raises `ResultsError` where no picture of it was scored.

    A checkpoint that somebody brought in an earlier process is found by its key again from here on.
    """
    if "checkpoint" in run.environment and not catalog.only_catalog():
        catalog.register(ModelSpec.parse(run.environment["checkpoint"]))
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
        unanswered=_unanswered(run.identity),
    )


def _unanswered(identity: RunIdentity) -> frozenset[int]:
    spec, space = catalog.known(identity.model), identity.space
    if spec is None or spec.task != "instance" or len(spec.space.things) == len(spec.space.classes):
        return frozenset()
    return frozenset(range(len(space.classes))) - space.things


def confused(results: Results, run: Run, truth: int, prediction: int) -> list[tuple[int, str, int]]:
    """The pictures in which pixels of the class `truth` are predicted as `prediction`, those with the most first.

    prediction: `VOID` for pixels that got no class. Position, name and pixels of each picture; read from the store.
    """
    column = -1 if prediction == VOID else prediction
    pixels = ((p.position, p.name, _counted(p.scores, truth, column)) for p in results.pictures(run) if p.scores)
    return sorted((row for row in pixels if row[2]), key=lambda row: -row[2])


def _counted(scores: bytes, truth: int, column: int) -> int:
    counts = unpack(scores).classes
    return int(counts.counts[truth, column]) if counts is not None else 0


def compare(
    runs: Sequence[RunScores], convention: Convention, without: Collection[int] = ()
) -> tuple[list[Interval | None], dict[tuple[int, int], Interval]]:
    """The interval of each run's mean IoU and, by their positions in `runs`, of the difference of each pair.

    Only runs whose mean is over the same classes are compared, over the pictures that all of them scored. A run without
    label maps, or without a picture in common with the others, has no interval.
    """
    alike: dict[tuple[LabelSpace, frozenset[int]], list[int]] = {}
    for i, run in enumerate(runs):
        alike.setdefault((run.run.identity.space, run.unanswered), []).append(i)
    intervals: list[Interval | None] = [None] * len(runs)
    differences: dict[tuple[int, int], Interval] = {}
    for (_, unanswered), members in alike.items():
        if tallies := _shared(runs, members):
            found = bootstrap(tallies, convention, unanswered.union(without))
            for name, interval in found.models.items():
                intervals[int(name)] = interval
            differences |= {(int(a), int(b)): gap for (a, b), gap in found.differences.items()}
    return intervals, differences


def _shared(runs: Sequence[RunScores], members: Sequence[int]) -> dict[str, np.ndarray]:
    """The tallies of these runs on the pictures that all of them scored; empty where there are none."""
    scored = {i: (runs[i].positions, tallies) for i in members if (tallies := runs[i].tallies) is not None}
    shared = reduce(np.intersect1d, (positions for positions, _ in scored.values())) if scored else np.zeros(0)
    return {str(i): tallies[np.isin(at, shared)] for i, (at, tallies) in scored.items()} if shared.size else {}


def report(runs: Sequence[RunScores], convention: Convention) -> dict[str, Any]:
    """Everything as plain values for JSON; scores that there are not are None."""
    intervals, differences = compare(runs, convention)
    first, keys = runs[0].run.identity, [run.run.identity.model for run in runs]
    return {
        "dataset": first.dataset,
        "dataset_digest": first.dataset_digest,
        "convention": convention,
        "images": first.limit,
        "skipped": len(runs[0].skipped),
        "skipped_images": [{"name": name, "reason": reason} for name, reason in runs[0].skipped],
        "models": [_model(run, convention, interval) for run, interval in zip(runs, intervals, strict=True)],
        "differences": [
            {"a": keys[a], "b": keys[b], "mean_iou": _plain(gap.value), "interval": _bounds(gap)}
            for (a, b), gap in differences.items()
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


def picture_columns(runs: Sequence[RunScores]) -> dict[str, list[Any]]:
    """Pixels of every class in every picture, one row per run, picture and class, as columns of a table."""
    columns: dict[str, list[Any]] = {name: [] for name in _PICTURE_COLUMNS}
    for run in runs:
        classes = run.run.identity.space.classes
        for name, tally in zip(run.names, () if run.tallies is None else run.tallies, strict=False):
            rows = (len(classes) * [run.run.identity.model], len(classes) * [name], classes, *tally.tolist())
            for column, values in zip(_PICTURE_COLUMNS, rows, strict=True):
                columns[column] += values
    return columns


_PICTURE_COLUMNS: Final = ("model", "picture", "class", "right pixels", "true pixels", "predicted pixels")


def _model(run: RunScores, convention: Convention, interval: Interval | None) -> dict[str, Any]:
    counts, total, space = run.total.classes, run.total, run.run.identity.space
    mean = run.mean_iou(convention)
    quality, whole = total.panoptic, counts if not run.unanswered else None
    return {
        "model": run.run.identity.model,
        "weights": run.run.identity.weights,
        "precision": run.run.identity.precision,
        "extras": asdict(run.run.identity.extras),
        "classes": [name for i, name in enumerate(space.classes) if i not in run.unanswered],
        "coverage": _plain(total.coverage.share()) if total.coverage else None,
        "mean_iou": _plain(mean.value) if mean else None,
        "mean_iou_classes": mean.classes if mean else None,
        "mean_iou_interval": _bounds(interval) if interval else None,
        "frequency_weighted_iou": _plain(whole.frequency_weighted_iou()) if whole else None,
        "pixel_accuracy": _plain(whole.accuracy()) if whole else None,
        "mean_accuracy": _plain(_mean(run.of_classes(counts.recall()))) if counts else None,
        "per_class": _per_class(run),
        "boundary_iou": _plain(_mean(run.of_classes(total.boundaries.iou()))) if total.boundaries else None,
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
        "iou": run.of_classes(counts.iou()),
        "precision": run.of_classes(counts.precision()),
        "recall": run.of_classes(counts.recall()),
        "boundary_iou": run.of_classes(boundaries.iou()),
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
