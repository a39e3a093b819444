"""Answers as pandas tables. Units are in the column names; NaN is not known, 0 is measured and nothing."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Final

import numpy as np
import pandas as pd

from segdemo.agreement import Agreement
from segdemo.labels import VOID
from segdemo.models import catalog
from segdemo.overlay import UNASSIGNED
from segdemo.prediction import Prediction, Segments

BEST: Final = "best IoU"

_NONE: Final = Segments(np.zeros((0, 4), np.int32), (), np.zeros(0, np.uint8), np.zeros(0, np.float32))


def class_table(
    predictions: Sequence[Prediction], ious: Mapping[str, Mapping[str, float]] | None = None
) -> pd.DataFrame:
    """One row per class name that any of the models knows, the largest share first; a share column per model.

    A share is NaN where the model does not know the class, 0 where it knows but did not find it. Pixels
    without a class have a row where there are any.
    ious: by model key and class name, IoU in [0, 1]; these models get an IoU column, NaN where the class is unknown to
    the model or in neither truth nor prediction. Classes that several of the model's make up with the labels have a
    row of their own. Where two models or more have one, "best" names the highest of each class, if there is one alone.
    """
    ious = ious or {}
    known = (*(p.space.classes for p in predictions), [UNASSIGNED], *ious.values())
    names = dict.fromkeys(name for classes in known for name in classes)
    called = titles([p.model for p in predictions])
    shares = {f"share % · {title}": _shares(p) for title, p in zip(called, predictions, strict=True)}
    table = pd.DataFrame(shares, index=pd.Index(list(names), name="class"), dtype=np.float64)
    largest = table.max(axis=1).sort_values(ascending=False, kind="stable")
    for title, p in zip(called, predictions, strict=True):
        if p.model in ious:
            table[f"IoU % · {title}"] = 100 * pd.Series(ious[p.model], dtype=np.float64)
    if len(ious) > 1:
        table[BEST] = _best(table.filter(like="IoU % · "))
    shown = [name for name in largest.index if name != UNASSIGNED or largest[name] > 0]
    return table.loc[shown].reset_index()


def _best(ious: pd.DataFrame) -> pd.Series:
    """Which model's IoU is the highest, by row; empty where none is, or more than one."""
    highest = ious.max(axis=1)
    alone = ious.eq(highest, axis=0).sum(axis=1) == 1
    found = ious[alone & (highest > 0) & (ious.notna().sum(axis=1) > 1)]
    names = found.idxmax(axis=1).str.removeprefix("IoU % · ") if len(found) else pd.Series(dtype="str")
    return names.reindex(ious.index, fill_value="")


def instance_table(prediction: Prediction) -> pd.DataFrame:
    """One row per instance or panoptic segment, best first; empty for semantic models."""
    segments = _NONE if prediction.segments is None else prediction.segments
    left, top, right, bottom = segments.boxes_xyxy.T
    return pd.DataFrame(
        {
            "class": pd.Series([prediction.space.classes[i] for i in segments.class_ids], dtype="str"),
            "score": segments.scores.astype(np.float64),
            "left px": left,
            "top px": top,
            "right px": right,
            "bottom px": bottom,
            "area px": np.array([np.count_nonzero(mask) for mask in segments.masks], np.int64),
        }
    )


def times_table(predictions: Sequence[Prediction]) -> pd.DataFrame:
    """One row per model: milliseconds per stage and in all."""
    return pd.DataFrame(
        [
            {
                "model": title,
                "transfer ms": 1e3 * p.times.transfer_s,
                "preprocess ms": 1e3 * p.times.preprocess_s,
                "forward ms": 1e3 * p.times.forward_s,
                "postprocess ms": 1e3 * p.times.postprocess_s,
                "total ms": 1e3 * p.times.total_s,
            }
            for title, p in zip(titles([p.model for p in predictions]), predictions, strict=True)
        ]
    )


def agreement_table(predictions: Sequence[Prediction], agreements: Mapping[tuple[int, int], Agreement]) -> pd.DataFrame:
    """Mean IoU in percent between each two models' answers, one row and one column per model; NaN for no shared class.

    agreements: by the places of two models among the predictions, the lower first.
    """
    called = titles([p.model for p in predictions])
    table = pd.DataFrame(100.0 * np.eye(len(called)), index=called, columns=called)
    for a, b in combinations(range(len(called)), 2):
        found = agreements.get((a, b))
        table.iloc[a, b] = table.iloc[b, a] = 100 * found.mean_iou() if found else np.nan
    return table


def contradictions_table(
    predictions: Sequence[Prediction], agreements: Mapping[tuple[int, int], Agreement], most: int
) -> pd.DataFrame:
    """What two models say that contradicts each other on the most pixels, the largest first; percent of the picture."""
    called = titles([p.model for p in predictions])
    rows = [
        {"model": called[a], "says": one, "other model": called[b], "says this": other, "picture %": pixels}
        for (a, b), found in agreements.items()
        for one, other, pixels in found.largest(most)
    ]
    table = pd.DataFrame(rows, columns=["model", "says", "other model", "says this", "picture %"])
    table["picture %"] *= 100 / predictions[0].labels.size
    return table.sort_values("picture %", ascending=False, kind="stable", ignore_index=True).head(most)


def titles(keys: Sequence[str]) -> list[str]:
    """The models' titles; where two are equal, each with its key behind it."""
    plain = [catalog.title(key) for key in keys]
    return [f"{title} ({key})" if plain.count(title) > 1 else title for title, key in zip(plain, keys, strict=True)]


def _shares(prediction: Prediction) -> dict[str, float]:
    counts = np.bincount(prediction.labels.ravel(), minlength=256)
    percent = 100 * counts / prediction.labels.size
    return {**dict(zip(prediction.space.classes, percent, strict=False)), UNASSIGNED: percent[VOID]}
