"""How the Evaluate page shows runs: which model is better, class by class, and what lies behind one model's scores."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import pandas as pd
import streamlit as st

from segdemo import charts, score_tables, scoreboard, words
from segdemo.confusion import CONVENTIONS, Convention
from segdemo.labels import VOID
from segdemo.scoreboard import RunScores
from segdemo.ui import cache, state, views
from segdemo.ui.learn import links

_PLOT: Final = {"displayModeBar": False}
_MOST_ROWS: Final = 25
_TALL_PX: Final = 700
_PARQUET: Final = "application/vnd.apache.parquet"
_HELP: Final = {
    "mean IoU %": "Intersection over union, averaged over classes as the convention above says.",
    "95 % interval": "The middle 95 % of the scores of 10,000 bootstrap samples of these pictures.",
    "better than": "Models over which the lead on the same pictures holds in 95 % of the samples. Empty: may be luck.",
    "classes": "How many classes the mean is over. An instance model is scored on the things that it can find.",
    "pixel accuracy %": "Right pixels, of all that are labelled. None for models that leave pixels out by design.",
    "boundary IoU %": "IoU of the pixels close to each class's outline (2 % of the diagonal), averaged over classes.",
    "PQ %": "Panoptic quality (Kirillov 2019): how well segments match, times how many do. Panoptic models only.",
    "mask AP %": "COCO's average precision of instance masks, mean over IoU 0.50 to 0.95. Instance models only.",
    "calibration error %": "The mean gap between a model's confidence and how often it is right, in 15 bins.",
    "pictures": "Pictures scored.",
    "skipped": "Pictures that could not be used.",
}


@dataclass(frozen=True)
class Cell:
    """A cell of the confusion matrix: true and predicted class, `VOID` for none."""

    truth: int
    prediction: int


def choose_convention(runs: Sequence[RunScores]) -> tuple[Convention, frozenset[int]]:
    """Whose mean IoU the page shows, with its rule in a sentence, and the classes that are left out of it."""
    chosen: Convention = st.selectbox(
        "Mean IoU as counted by",
        list(CONVENTIONS),
        index=list(CONVENTIONS).index("mmsegmentation"),
        key=state.CONVENTION,
        persist_state="session",
        format_func=lambda name: CONVENTIONS[name].title,
    )
    st.caption(CONVENTIONS[chosen].explanation)
    links.show(links.SCORES, "Why the rules differ")
    background = runs[0].run.identity.space.background
    if background is None:
        return chosen, frozenset()
    left_out = st.toggle("Without the background", key=state.WITHOUT_BACKGROUND, persist_state="session")
    return chosen, frozenset({background}) if left_out else frozenset()


def models(runs: Sequence[RunScores], convention: Convention, without: frozenset[int]) -> None:
    """One row per model, and the differences between them."""
    st.subheader("Models", anchor=False)
    numbers = tuple(run.run.id for run in runs)
    intervals, differences = cache.comparison(numbers, convention, without, runs)
    table = score_tables.models_table(runs, convention, intervals, differences, without).dropna(axis=1, how="all")
    if not table["skipped"].any():
        table = table.drop(columns="skipped")
    columns: dict[str, Any] = {
        name: st.column_config.NumberColumn(format="%.1f" if name.endswith("%") else None, help=_HELP[name])
        for name in table.columns
        if name in _HELP
    }
    for name in ("95 % interval", "better than"):
        columns[name] = st.column_config.TextColumn(help=_HELP[name])
    columns["mean IoU %"] = st.column_config.ProgressColumn(
        min_value=0, max_value=100, format="%.1f", help=_HELP["mean IoU %"]
    )
    st.dataframe(
        table, height=_height(table), hide_index=True, column_config=columns, placeholder="–",
        alt="Models and their scores",
    )  # fmt: skip
    st.caption(f"Point at a column's head to read how it is counted. {_uncovered(runs)}")
    if differences:
        with st.expander("By how much, pair by pair"):
            pairs = score_tables.differences_table(runs, differences)
            shown = {name: st.column_config.NumberColumn(format="%.1f") for name in pairs if name.endswith("%")}
            st.dataframe(pairs, hide_index=True, column_config=shown, alt="Differences of mean IoU")
            st.caption("Differences of mean IoU with their 95 % interval, on the same pictures in every sample.")


def _uncovered(runs: Sequence[RunScores]) -> str:
    told = [
        f"{name} is scored over the {len(run.run.identity.space.classes)} classes that it shares with the labels, "
        f"{words.percent(run.total.coverage.share())} of the labelled pixels."
        for name, run in zip(score_tables.names(runs), runs, strict=True)
        if run.total.coverage is not None and run.total.coverage.covered < run.total.coverage.labelled
    ]
    return " ".join(told)


def classes(runs: Sequence[RunScores]) -> None:
    """IoU of each class, one column per model."""
    table = score_tables.class_ious(runs)
    if table.empty:
        return
    st.subheader("Classes", anchor=False)
    shown = table.style.format("{:.1f}", na_rep="–")
    scored = list(table.columns[1:])
    shown = shown.map(_shade, subset=scored)
    if len(scored) > 1:
        shown = shown.highlight_max(axis=1, subset=scored, props="font-weight: bold")
    st.dataframe(shown, height=_height(table), placeholder="–", alt="IoU of each class")
    st.caption("IoU in percent from the pixels of all pictures together: those that truth and prediction both call by "
               "the class, of those that either does. A dash: in neither, or a class that the model never gives. Bold: "
               "the best.")  # fmt: skip


def _shade(percent: float) -> str:
    return "" if pd.isna(percent) else f"background-color: rgba(31, 143, 134, {0.45 * percent / 100:.2f})"


def downloads(runs: Sequence[RunScores], convention: Convention) -> None:
    """Scores of the classes as CSV, of everything as JSON, counts of every picture as Parquet; made when asked for."""
    files = (
        ("Classes (CSV)", "classes.csv", "text/csv", lambda: scoreboard.class_table(runs).encode("utf-8-sig")),
        (
            "All scores (JSON)",
            "scores.json",
            "application/json",
            lambda: json.dumps(scoreboard.report(runs, convention), indent=1).encode(),
        ),
        (
            "Pictures (Parquet)",
            "pictures.parquet",
            _PARQUET,
            lambda: pd.DataFrame(scoreboard.picture_columns(runs)).to_parquet(index=False),
        ),
    )
    with st.container(horizontal=True):
        for label, name, mime, data in files:
            st.download_button(
                f"Download {label[0].lower()}{label[1:]}",
                data,
                file_name=f"segdemo.{name}",
                mime=mime,
                on_click="ignore",
                icon=":material/download:",
            )


def choose_run(runs: Sequence[RunScores]) -> RunScores:
    """Which model the rest of the page looks into."""
    st.subheader("Look into one model", anchor=False)
    names = score_tables.names(runs)
    name = st.segmented_control("Model", names, default=names[0], required=True, label_visibility="collapsed")
    return runs[names.index(name) if name in names else 0]


def details(run: RunScores) -> Cell | None:
    """Confusion, pictures, sizes, boundaries and calibration of one model; returns the cell that was chosen."""
    if run.total.classes is None:
        st.caption("These labels know single objects only: mask AP above is all that can be scored.")
        return None
    tabs = st.tabs(["Confusion", "Pictures", "Sizes", "Boundaries", "Calibration"])
    with tabs[0]:
        cell = _confusion(run)
    with tabs[1]:
        st.plotly_chart(charts.distribution(score_tables.pictures(run)), config=_PLOT)
        st.caption("Image mean IoU is over the classes in a picture's own truth or prediction; papers pool pixels.")
    with tabs[2]:
        _numbers(score_tables.by_size(run))
        st.caption(
            "Recall in percent of the true pixels, by the size of the connected region they belong to: small below "
            "32², medium below 96² pixels."
        )
    with tabs[3]:
        _numbers(score_tables.boundaries(run))
        low, high = run.total.boundaries.widths if run.total.boundaries else (0, 0)
        width = f"{low}" if low == high else f"{low} to {high}"
        st.caption(f"Boundary IoU looks at the pixels within {width} pixels of a class's own outline: 2 % of the "
                   "diagonal (Cheng 2021).")  # fmt: skip
    with tabs[4]:
        _calibration(run)
    return cell


def _numbers(table: pd.DataFrame) -> None:
    st.dataframe(table.style.format("{:.1f}", na_rep="–"), height=_height(table), placeholder="–")


def _height(table: pd.DataFrame) -> int | Literal["content"]:
    """Of as many rows as fit on a screen; more are scrolled."""
    return "content" if len(table) <= _MOST_ROWS else _TALL_PX


def _confusion(run: RunScores) -> Cell | None:
    by = st.segmented_control("In percent of", ["truth", "prediction"], default="truth", required=True) or "truth"
    shares = score_tables.confusion(run, by)
    figure = charts.confusion(shares, by, views.background())
    event = st.plotly_chart(
        figure, config=_PLOT, on_select="rerun", selection_mode="points", key=f"confusion:{run.run.id}:{by}"
    )
    st.caption("Click a cell to see the pictures that hold it, below.")
    points: Any = event["selection"]["points"]
    if not points:
        return None
    row, column = divmod(points[0]["point_index"], shares.shape[1])
    ids = score_tables.confusion_classes(run)
    if shares.columns[column] == score_tables.REST and column >= len(ids):
        return None
    return Cell(ids[row], ids[column] if column < len(ids) else VOID)


def _calibration(run: RunScores) -> None:
    bins = run.total.calibration
    if bins is None:
        st.caption("Only models that give every pixel a class have a confidence for each.")
        return
    filled = bins.pixels > 0
    st.plotly_chart(
        charts.reliability(
            bins.confidence()[filled].tolist(), bins.accuracy()[filled].tolist(), bins.pixels[filled].tolist()
        ),
        config=_PLOT,
    )
    error = words.percent(bins.expected_calibration_error())
    st.caption(f"Expected calibration error {error}: the mean gap between confidence and rightness, in 15 bins.")
