"""Answers as pandas tables. Units are in the column names; NaN is not known, 0 is measured and nothing."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from segdemo.labels import VOID
from segdemo.models import catalog
from segdemo.overlay import UNASSIGNED
from segdemo.prediction import Prediction, Segments

_NONE: Final = Segments(np.zeros((0, 4), np.int32), (), np.zeros(0, np.uint8), np.zeros(0, np.float32))


def class_table(predictions: Sequence[Prediction], ious: Mapping[str, np.ndarray] | None = None) -> pd.DataFrame:
    """One row per class name that any of the models knows, the largest share first; a share column per model.

    A share is NaN where the model does not know the class, 0 where it knows but did not find it. Pixels
    without a class have a row where there are any.
    ious: by model key, IoU per class in [0, 1], (C,) float64 (`ClassCounts.iou`); these models get an IoU
    column, NaN where the class is unknown to the model or in neither truth nor prediction.
    """
    names = dict.fromkeys(name for p in predictions for name in (*p.space.classes, UNASSIGNED))
    called = titles([p.model for p in predictions])
    shares = {f"share % · {title}": _shares(p) for title, p in zip(called, predictions, strict=True)}
    table = pd.DataFrame(shares, index=pd.Index(list(names), name="class"), dtype=np.float64)
    largest = table.max(axis=1).sort_values(ascending=False, kind="stable")
    for title, p in zip(called, predictions, strict=True):
        if ious is not None and p.model in ious:
            table[f"IoU % · {title}"] = pd.Series(100 * ious[p.model], index=list(p.space.classes))
    shown = [name for name in largest.index if name != UNASSIGNED or largest[name] > 0]
    return table.loc[shown].reset_index()


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
                "preprocess ms": 1e3 * p.times.preprocess_s,
                "forward ms": 1e3 * p.times.forward_s,
                "postprocess ms": 1e3 * p.times.postprocess_s,
                "total ms": 1e3 * p.times.total_s,
            }
            for title, p in zip(titles([p.model for p in predictions]), predictions, strict=True)
        ]
    )


def titles(keys: Sequence[str]) -> list[str]:
    """The models' titles; where two are equal, each with its key behind it."""
    plain = [catalog.find(key).title for key in keys]
    return [f"{title} ({key})" if plain.count(title) > 1 else title for title, key in zip(plain, keys, strict=True)]


def _shares(prediction: Prediction) -> dict[str, float]:
    counts = np.bincount(prediction.labels.ravel(), minlength=256)
    percent = 100 * counts / prediction.labels.size
    return {**dict(zip(prediction.space.classes, percent, strict=False)), UNASSIGNED: percent[VOID]}
