"""Evaluation runs as pandas tables, in percent; NaN is not known, 0 is measured and nothing."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from segdemo.confusion import Convention, image_mean_ious
from segdemo.object_sizes import SIZES
from segdemo.scoreboard import RunScores, compare
from segdemo.tables import titles

NO_CLASS: Final = "no class"


def models_table(runs: Sequence[RunScores], convention: Convention) -> pd.DataFrame:
    """One row per run, the best mean IoU first, and the models that each is better than beyond doubt.

    Better: the 95 % interval of the paired difference (`significance`) lies above 0.
    """
    intervals = compare(runs, convention)
    named = dict(zip([run.run.identity.model for run in runs], names(runs), strict=True))
    rows = []
    for run, name in zip(runs, names(runs), strict=True):
        key, counts, total = run.run.identity.model, run.total.classes, run.total
        interval, mean = intervals.models.get(key), run.mean_iou(convention)
        beaten = [named[b] for (a, b), gap in intervals.differences.items() if a == key and gap.low > 0]
        beaten += [named[a] for (a, b), gap in intervals.differences.items() if b == key and gap.high < 0]
        rows.append(
            {
                "model": name,
                "mean IoU %": 100 * mean.value if mean else np.nan,
                "from %": 100 * interval.low if interval else np.nan,
                "to %": 100 * interval.high if interval else np.nan,
                "better than": ", ".join(beaten),
                "pixel accuracy %": 100 * counts.accuracy() if counts else np.nan,
                "boundary IoU %": _mean(total.boundaries.iou()) if total.boundaries else np.nan,
                "PQ %": 100 * total.panoptic.quality().pq if total.panoptic else np.nan,
                "mask AP %": 100 * run.precision.ap if run.precision else np.nan,
                "calibration error %": 100 * total.calibration.expected_calibration_error()
                if total.calibration
                else np.nan,
                "pictures": len(run.names),
                "skipped": len(run.skipped),
            }
        )
    return pd.DataFrame(rows).sort_values("mean IoU %", ascending=False, kind="stable")


def names(runs: Sequence[RunScores]) -> list[str]:
    """The runs' models; where one stands there twice, with the number of its run."""
    models = titles([run.run.identity.model for run in runs])
    return [
        f"{name} (run {run.run.id})" if models.count(name) > 1 else name for name, run in zip(models, runs, strict=True)
    ]


def class_ious(runs: Sequence[RunScores]) -> pd.DataFrame:
    """IoU of each class by name, one column per run, and the share of the labelled pixels it has in the first run."""
    columns = {}
    for name, run in zip(names(runs), runs, strict=True):
        if run.total.classes is not None:
            columns[name] = pd.Series(100 * run.total.classes.iou(), index=list(run.run.identity.space.classes))
    table = pd.DataFrame(columns)
    first = next((run for run in runs if run.total.classes is not None), None)
    if first is not None and first.total.classes is not None:
        support = first.total.classes.support()
        share = pd.Series(100 * support / max(1, support.sum()), index=list(first.run.identity.space.classes))
        table.insert(0, "share of pixels %", share)
    return table.rename_axis("class").sort_values("share of pixels %", ascending=False) if columns else table


def confusion(run: RunScores, by: str) -> pd.DataFrame:
    """True classes down, predicted ones across, in percent of the true ("truth") or predicted ("prediction") pixels."""
    counts = run.total.classes.counts.astype(np.float64) if run.total.classes else np.zeros((0, 1))
    whole = counts.sum(axis=1 if by == "truth" else 0, keepdims=True)
    with np.errstate(invalid="ignore"):
        shares = 100 * counts / whole
    classes = list(run.run.identity.space.classes)
    return pd.DataFrame(shares, index=classes, columns=[*classes, NO_CLASS])


def pictures(run: RunScores) -> pd.DataFrame:
    """Each picture's own mean IoU over the classes in its truth or prediction, the worst first."""
    values = image_mean_ious(run.tallies) if run.tallies is not None else np.zeros(0)
    table = pd.DataFrame({"position": run.positions, "picture": run.names, "image mean IoU %": 100 * values})
    return table.sort_values("image mean IoU %", kind="stable")


def by_size(run: RunScores) -> pd.DataFrame:
    """Recall of each class by the size of the region in the truth."""
    if run.total.sizes is None:
        return pd.DataFrame()
    classes = list(run.run.identity.space.classes)
    table = pd.DataFrame(100 * run.total.sizes.recall().T, index=classes, columns=[f"{size} %" for size in SIZES])
    return table.rename_axis("class").dropna(how="all")


def _mean(values: np.ndarray) -> float:
    present = values[~np.isnan(values)]
    return 100 * float(present.mean()) if present.size else float("nan")
