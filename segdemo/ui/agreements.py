"""How far the models agree on the picture, with no labels: as one number for each two, and class against class."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
import streamlit as st

from segdemo import charts, tables, words
from segdemo.agreement import Agreement
from segdemo.report import Table
from segdemo.ui import cache, views
from segdemo.ui.cache import Run
from segdemo.ui.pictures import Picture

_MOST_CONTRADICTIONS = 8
_DEFINITION = (
    "Mean IoU of one answer with the other, over the classes that either found. Pixels where a model says what the "
    "other does not know are left out. Models that agree may be wrong together."
)


def between(picture: Picture, runs: Sequence[Run]) -> dict[tuple[int, int], Agreement]:
    """The agreement of each two answers, by their places; without those that have no class in common."""
    found = {}
    for (a, first), (b, second) in combinations(enumerate(runs), 2):
        one, other = first.prediction, second.prediction
        agreement = cache.agreement(
            picture.id, (one.model, other.model), first.device, (first.precision, second.precision),
            (one.extras, other.extras), one, other,
        )  # fmt: skip
        if agreement is not None:
            found[a, b] = agreement
    return found


def mean(agreements: dict[tuple[int, int], Agreement]) -> float:
    """One number for a picture: the mean over the pairs of models; NaN where none can be compared."""
    values = [value for agreement in agreements.values() if not np.isnan(value := agreement.mean_iou())]
    return float(np.mean(values)) if values else np.nan


def report(runs: Sequence[Run], agreements: dict[tuple[int, int], Agreement]) -> list[Table]:
    """The same as tables of the report."""
    predictions = [run.prediction for run in runs]
    if not agreements:
        return []
    pairs = tables.contradictions_table(predictions, agreements, _MOST_CONTRADICTIONS).set_index("model")
    return [
        Table("Agreement", tables.agreement_table(predictions, agreements), f"In percent. {_DEFINITION}"),
        Table("Largest contradictions", pairs, "Percent of the picture's pixels."),
    ]


def show(runs: Sequence[Run], agreements: dict[tuple[int, int], Agreement]) -> None:
    """The matrix of the models, and what they contradict each other on."""
    st.subheader("Agreement", anchor=False)
    predictions = [run.prediction for run in runs]
    if not agreements:
        st.info("These models have no class in common, so that there is nothing to compare.")
        return
    if len(runs) == 2:
        _one(agreements[0, 1])
    else:
        matrix = tables.agreement_table(predictions, agreements)
        with st.container(width=640):
            st.plotly_chart(charts.agreement(matrix, views.background()), config={"displayModeBar": False})
    st.caption(_DEFINITION)
    _contradictions(tables.contradictions_table(predictions, agreements, _MOST_CONTRADICTIONS), len(runs) == 2)


def _one(agreement: Agreement) -> None:
    with st.grid(2, min_column_width=130):
        st.metric("Mean IoU", _percent(agreement.mean_iou()), border=True, help=_DEFINITION)
        st.metric(
            "Same class",
            _percent(agreement.share()),
            border=True,
            help="The share of the pixels on which both say the same, of those on which they can be compared.",
        )


def _percent(value: float) -> str:
    return "–" if np.isnan(value) else words.percent(value)


def _contradictions(table: pd.DataFrame, of_two: bool) -> None:
    if table.empty:
        st.info("The models say the same everywhere.")
        return
    if of_two:
        one, other = table["model"].iloc[0], table["other model"].iloc[0]
        table = table.rename(columns={"says": one, "says this": other}).drop(columns=["model", "other model"])
    share = st.column_config.NumberColumn(format="%.1f", help="Percent of the picture's pixels.")
    st.dataframe(
        table,
        hide_index=True,
        column_config={"picture %": share},
        alt="The classes that the models disagree on the most",
    )
