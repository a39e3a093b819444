"""Is one model better than another, or only luckier with these pictures? Paired bootstrap over pictures.

The pictures of a data set are a sample. The bootstrap draws new samples from it, as many pictures each, with
replacement, and takes the score anew from the pooled counts of each: the middle 95 % of those scores is the interval. A
difference is taken within every sample, where both models meet the same pictures: what makes a sample hard or easy
moves both scores and leaves their difference, which is why its interval is the narrower and the one to judge by. A
difference whose interval holds 0 may be luck.

Percentile intervals after Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13; paired comparison
of systems after Koehn, "Statistical Significance Tests for Machine Translation Evaluation", EMNLP 2004.

What it takes for granted: pictures that do not depend on each other. Frames of one video do, and their intervals are
too narrow. Nor does it know of another training run's luck, and of twenty pairs of equal models it lets one pass.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np

from segdemo.confusion import Convention, image_mean_ious, pooled_mean_iou

_LEVEL: Final = 0.95
_CELLS: Final = 2**21  # of samples × pictures held at a time: 16 MB


@dataclass(frozen=True)
class Interval:
    """A score of the data set, and the bounds that hold it in 95 % of the samples; they are NaN where N < 2."""

    low: float
    value: float
    high: float


@dataclass(frozen=True)
class Bootstrap:
    """Mean IoU of each model, and of each pair, in the order given, the first one's less the second one's."""

    models: dict[str, Interval]
    differences: dict[tuple[str, str], Interval]


def bootstrap(
    tallies: Mapping[str, np.ndarray],
    convention: Convention = "mmsegmentation",
    without: Collection[int] = (),
    resamples: int = 10_000,
    seed: int = 0,
) -> Bootstrap:
    """Intervals of mean IoU from the counts of every picture; the same ones for the same seed.

    tallies: of each model (N, 3, C) int64, one `ClassCounts.tally` for each picture, in one order for all models.
    convention, without: as for `ClassCounts.mean_iou`. Sums are exact below 2^53 pixels. Raises `ValueError` where the
    shapes differ or there is no picture.
    """
    shapes = {of_model.shape for of_model in tallies.values()}
    if len(shapes) != 1 or 0 in (shape := shapes.pop()):
        raise ValueError(
            "expected the same pictures and classes for every model, at least one, got tallies of shape "
            + ", ".join(f"{of_model.shape} ({name})" for name, of_model in tallies.items())
        )
    stacked = np.stack(list(tallies.values()), axis=1)  # (N, M, 3, C)
    addends, score = (
        _per_image(stacked, without) if convention == "per_image" else _pooled(stacked, convention, without)
    )
    values = score(addends.sum(axis=0, keepdims=True))[0]
    samples = _resampled(addends, score, resamples, np.random.default_rng(seed))
    if shape[0] < 2:
        samples[:] = np.nan  # one picture says nothing about the next
    names = list(tallies)
    return Bootstrap(
        {name: _interval(values[m], samples[:, m]) for m, name in enumerate(names)},
        {
            (names[a], names[b]): _interval(values[a] - values[b], samples[:, a] - samples[:, b])
            for a, b in combinations(range(len(names)), 2)
        },
    )


# Sums of addends (R, K) to scores (R, M).
_Scoring = Callable[[np.ndarray], np.ndarray]


def _pooled(stacked: np.ndarray, convention: Convention, without: Collection[int]) -> tuple[np.ndarray, _Scoring]:
    """What adds up over pictures, (N, K) float64, and what makes scores of its sums: for tallies, pooled mean IoU."""

    def score(sums: np.ndarray) -> np.ndarray:
        return pooled_mean_iou(sums.reshape(-1, *stacked.shape[1:]), convention, without)[0]

    return stacked.reshape(len(stacked), -1).astype(np.float64), score


def _per_image(stacked: np.ndarray, without: Collection[int]) -> tuple[np.ndarray, _Scoring]:
    """As `_pooled`: each picture's own mean IoU, and whether it has one; their sums make a mean over pictures."""
    values = image_mean_ious(stacked, without)  # (N, M)
    models = values.shape[1]

    def score(sums: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return sums[:, :models] / sums[:, models:]

    return np.hstack([np.nan_to_num(values), ~np.isnan(values)]), score


def _resampled(addends: np.ndarray, score: _Scoring, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """(R, M) scores: how often a sample holds each picture, times what the pictures add, is a matrix product."""
    pictures = len(addends)
    chunk = max(1, _CELLS // pictures)
    scores = []
    for start in range(0, resamples, chunk):
        times = np.empty((min(chunk, resamples - start), pictures))
        for sample in times:
            sample[:] = np.bincount(rng.integers(pictures, size=pictures), minlength=pictures)
        scores.append(score(times @ addends))
    return np.concatenate(scores)


def _interval(value: float, samples: np.ndarray) -> Interval:
    low, high = np.quantile(samples, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Interval(float(low), float(value), float(high))
