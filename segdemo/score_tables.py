"""Evaluation runs as pandas tables, in percent; NaN is not known, 0 is measured and nothing."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from segdemo.confusion import Convention, image_mean_ious
from segdemo.labels import VOID
from segdemo.object_sizes import SIZES
from segdemo.scoreboard import RunScores
from segdemo.significance import Interval
from segdemo.tables import titles

NO_CLASS: Final = "no class"
REST: Final = "other classes"
_MOST_CLASSES: Final = 30  # of a confusion matrix that a person can read


def models_table(
    runs: Sequence[RunScores],
    convention: Convention,
    intervals: Sequence[Interval | None],
    differences: Mapping[tuple[int, int], Interval],
    without: frozenset[int] = frozenset(),
) -> pd.DataFrame:
    """One row per run, the best mean IoU first, and the models that each is better than beyond doubt.

    intervals, differences: as `scoreboard.compare` gives them. Better: the 95 % interval of the paired difference lies
    above 0.
    """
    named = names(runs)
    rows = []
    for i, (run, name) in enumerate(zip(runs, named, strict=True)):
        mean, interval, total = run.mean_iou(convention, without), intervals[i], run.total
        beaten = [b for (a, b), gap in differences.items() if a == i and gap.low > 0]
        beaten += [a for (a, b), gap in differences.items() if b == i and gap.high < 0]
        whole = total.classes if not run.unanswered else None
        rows.append(
            {
                "model": name,
                "mean IoU %": 100 * mean.value if mean else np.nan,
                "95 % interval": f"{100 * interval.low:.1f} to {100 * interval.high:.1f}" if interval else "",
                "better than": ", ".join(named[other] for other in sorted(beaten)),
                "classes": mean.classes if mean else 0,
                "pixel accuracy %": 100 * whole.accuracy() if whole else np.nan,
                "boundary IoU %": _mean(run.of_classes(total.boundaries.iou())) if total.boundaries else np.nan,
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


def differences_table(runs: Sequence[RunScores], differences: Mapping[tuple[int, int], Interval]) -> pd.DataFrame:
    """One row per pair of runs, the better one first: by how much, its 95 % interval, and whether it may be luck."""
    named = names(runs)
    rows = []
    for (a, b), gap in differences.items():
        better, worse, sign = (a, b, 1) if gap.value >= 0 else (b, a, -1)
        low, high = sorted((sign * gap.low, sign * gap.high))
        rows.append(
            {
                "better": named[better],
                "worse": named[worse],
                "difference %": 100 * abs(gap.value),
                "from %": 100 * low,
                "to %": 100 * high,
                "verdict": "more than luck" if low > 0 else "may be luck",
            }
        )
    return pd.DataFrame(rows)


def names(runs: Sequence[RunScores]) -> list[str]:
    """The runs' models; where one stands there twice, with the number of its run."""
    models = titles([run.run.identity.model for run in runs])
    return [
        f"{name} (run {run.run.id})" if models.count(name) > 1 else name for name, run in zip(models, runs, strict=True)
    ]


def class_ious(runs: Sequence[RunScores]) -> pd.DataFrame:
    """IoU of each class by name, one column per run, and the share of the labelled pixels it has in the first run."""
    columns, shares = {}, None
    for name, run in zip(names(runs), runs, strict=True):
        if run.total.classes is not None:
            index = list(run.run.identity.space.classes)
            columns[name] = pd.Series(100 * run.of_classes(run.total.classes.iou()), index=index)
            if shares is None:
                support = run.total.classes.support()
                shares = pd.Series(100 * support / max(1, support.sum()), index=index)
    table = pd.DataFrame(columns)
    if shares is None:
        return table
    table.insert(0, "share of pixels %", shares)
    return table.rename_axis("class").sort_values("share of pixels %", ascending=False)


def confusion(run: RunScores, by: str) -> pd.DataFrame:
    """True classes down, predicted ones across, in percent of the true ("truth") or predicted ("prediction") pixels.

    Of many classes those with the most true pixels; the last columns are the rest and pixels that got no class.
    """
    if run.total.classes is None:
        return pd.DataFrame()
    counts = run.total.classes.counts.astype(np.float64)
    whole = counts.sum(axis=1 if by == "truth" else 0, keepdims=True)
    with np.errstate(invalid="ignore"):
        shares = 100 * counts / whole
    classes, kept = run.run.identity.space.classes, confusion_classes(run)
    table = pd.DataFrame(shares[np.ix_(kept, kept)], index=[classes[i] for i in kept])
    table.columns = pd.Index([classes[i] for i in kept])
    rest = [i for i in range(len(classes)) if i not in kept]
    if rest and by == "truth":
        table[REST] = shares[np.ix_(kept, rest)].sum(axis=1)
    table[NO_CLASS] = shares[kept, -1]
    return table


def confusion_classes(run: RunScores) -> list[int]:
    """The ids of the classes that `confusion` shows, in their order."""
    if run.total.classes is None:
        return []
    return sorted(np.argsort(-run.total.classes.support(), kind="stable")[:_MOST_CLASSES].tolist())


def largest_confusions(run: RunScores, most: int = 12) -> list[tuple[int, int, float]]:
    """True class, predicted class (`VOID` for none) and the percent of the true class's pixels, the largest first."""
    if run.total.classes is None:
        return []
    counts = run.total.classes.counts
    wrong = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    cells = zip(*np.unravel_index(order, wrong.shape), strict=True)
    last = counts.shape[1] - 1
    return [(int(t), VOID if p == last else int(p), 100 * float(wrong[t, p])) for t, p in cells if wrong[t, p] > 0]


def pictures(run: RunScores) -> pd.DataFrame:
    """Each picture's own mean IoU over the classes in its truth or prediction, the worst first."""
    values = image_mean_ious(run.tallies, run.unanswered) if run.tallies is not None else np.zeros(0)
    table = pd.DataFrame({"position": run.positions, "picture": run.names, "image mean IoU %": 100 * values})
    return table.sort_values("image mean IoU %", kind="stable")


def by_size(run: RunScores) -> pd.DataFrame:
    """Recall of each class by the size of the region in the truth."""
    if run.total.sizes is None:
        return pd.DataFrame()
    classes, recall = list(run.run.identity.space.classes), 100 * run.total.sizes.recall()
    table = pd.DataFrame({f"{size} %": run.of_classes(recall[i]) for i, size in enumerate(SIZES)}, index=classes)
    return table.rename_axis("class").dropna(how="all")


def boundaries(run: RunScores) -> pd.DataFrame:
    """IoU and boundary IoU of each class."""
    if run.total.boundaries is None or run.total.classes is None:
        return pd.DataFrame()
    columns = {"IoU %": run.total.classes.iou(), "boundary IoU %": run.total.boundaries.iou()}
    table = pd.DataFrame(
        {name: 100 * run.of_classes(values) for name, values in columns.items()},
        index=list(run.run.identity.space.classes),
    )
    return table.rename_axis("class").dropna(how="all")


def _mean(values: np.ndarray) -> float:
    present = values[~np.isnan(values)]
    return 100 * float(present.mean()) if present.size else float("nan")
