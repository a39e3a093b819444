"""Benchmarks as pandas tables. Units are in the column names; NaN is not known."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from segdemo import benchmark, tables
from segdemo.benchmark import STAGES, Measurement, Report
from segdemo.benchmark_case import Case
from segdemo.extras import Extras
from segdemo.models import catalog
from segdemo.published_times import PUBLISHED


def measurements(report: Report) -> pd.DataFrame:
    """One row per case that was measured, the quickest picture first; times are those of the median call."""
    ranks = benchmark.places(report.measurements)
    rows = [_row(report, one, rank) for one, rank in zip(report.measurements, ranks, strict=True) if one.samples]
    table = pd.DataFrame(rows)
    return table.sort_values("ms per picture", kind="stable", ignore_index=True) if rows else table


def stages(report: Report, case: Case) -> pd.DataFrame:
    """`tables.times_table` of the models measured like a case: its size, batch and precision; ms per picture."""
    alike = [one for one in report.measurements if one.samples and one.case.setting == case.setting]
    rows = []
    for one in alike:
        per_picture = {f"{stage} ms": 1e3 * one.summary(stage).p50_s / case.batch for stage in STAGES[1:]}
        rows.append({"model": _name(one.case), **per_picture, "total ms": sum(per_picture.values())})
    return pd.DataFrame(rows)


def compared(report: Report, other: Report) -> pd.DataFrame:
    """One row per case that both runs measured: both times, their ratio, and whether it may be noise."""
    theirs = {one.case: one for one in other.measurements if one.samples}
    rows = []
    for one in report.measurements:
        if one.samples and (match := theirs.get(one.case)):
            here, there = one.summary(), match.summary()
            apart = here.low_s > there.high_s or there.low_s > here.high_s
            rows.append(
                {
                    **_case(one.case),
                    "this run ms": 1e3 * here.p50_s,
                    "other run ms": 1e3 * there.p50_s,
                    "other / this": there.p50_s / here.p50_s,
                    "verdict": "more than noise" if apart else "may be noise",
                }
            )
    return pd.DataFrame(rows)


def samples(report: Report) -> pd.DataFrame:
    """One row per call and stage, for spreadsheets: seconds of the whole batch."""
    rows = [
        {**_case(one.case), "stage": stage, "call": i, "seconds": seconds}
        for one in report.measurements
        for stage, values in one.samples.items()
        for i, seconds in enumerate(values)
    ]
    return pd.DataFrame(rows)


def accuracy(report: Report, case: Case, scores: Mapping[tuple[str, Extras], float]) -> pd.DataFrame:
    """One row per trained model that is measured like a case and scored: latency, memory, mean IoU in percent.

    scores: by the model's key and its extras, in [0, 1].
    """
    rows = [
        {
            "model": ", ".join(filter(None, (catalog.title(one.case.model), str(one.case.extras)))),
            "ms per picture": 1e3 * one.summary().p50_s / case.batch,
            "memory MB": np.nan if one.peak_bytes is None else (one.peak_bytes + one.weights_bytes) / 1e6,
            "mean IoU %": 100 * scores[one.case.model, one.case.extras],
        }
        for one in report.measurements
        if one.samples and not one.case.untrained and one.case.setting == case.setting
        if (one.case.model, one.case.extras) in scores
    ]
    table = pd.DataFrame(rows, columns=["model", "ms per picture", "memory MB", "mean IoU %"])
    return table.sort_values("ms per picture", ignore_index=True)


def published(report: Report) -> pd.DataFrame:
    """One row per speed that others have published for a model of the report, with how they measured."""
    timed = {one.case.model for one in report.measurements}
    rows = [
        {
            "network": one.network,
            "input": one.input,
            "pictures per s": one.per_s,
            "measured how": one.protocol,
            "source": one.source,
        }
        for one in PUBLISHED
        if one.model in timed
    ]
    return pd.DataFrame(rows)


def setting(case: Case) -> str:
    """A case without its model: "512 × 512, batch 1, fp32"."""
    height, width = case.size_hw
    return f"{width} × {height}, batch {case.batch}, {case.precision}"


def _name(case: Case) -> str:
    [title] = tables.titles([case.model])
    marks = ("untrained" if case.untrained else "", "" if case.way == "default" else case.way, str(case.extras))
    return ", ".join(filter(None, (title, *marks)))


def _case(case: Case) -> dict[str, object]:
    height, width = case.size_hw
    return {"model": _name(case), "size": f"{width} × {height}", "batch": case.batch, "precision": case.precision}


def _row(report: Report, one: Measurement, rank: int | None) -> dict[str, object]:
    total, batch = one.summary(), one.case.batch
    known = np.isfinite(total.low_s)
    return {
        **_case(one.case),
        "ms per picture": 1e3 * total.p50_s / batch,
        "95 % interval": f"{1e3 * total.low_s / batch:.1f} to {1e3 * total.high_s / batch:.1f}" if known else "–",
        "rank": "–" if rank is None else str(rank),
        "pictures per s": one.pictures_per_s(),
        "p90 ms": 1e3 * total.p90_s,
        "p95 ms": 1e3 * total.p95_s,
        "deviation %": 100 * total.deviation_s / total.mean_s,
        "decode ms": 1e3 * one.summary("decode").p50_s,
        "first call ms": 1e3 * one.first_s,
        "load s": one.load_s,
        "memory MB": np.nan if one.peak_bytes is None else one.peak_bytes / 1e6,
        "parameters M": one.parameters / 1e6,
        "weights MB": one.weights_bytes / 1e6,
        "GMACs": one.gmacs,
        "of matrix rate %": 100 * report.used(one),
    }
