"""How the Evaluate page shows runs: tables of models and classes, the worst pictures, and what lies behind a score."""

import json
from collections.abc import Sequence

import numpy as np
import streamlit as st

from segdemo import charts, overlay, score_tables, scoreboard
from segdemo.boundary import BoundaryCounts
from segdemo.class_mapping import mapping
from segdemo.confusion import CONVENTIONS, Convention
from segdemo.datasets import Dataset
from segdemo.labels import VOID
from segdemo.models import catalog
from segdemo.sample import Sample
from segdemo.scoreboard import RunScores
from segdemo.ui import cache, jobs, problems, state, text

_PLOT = {"displayModeBar": False}
_WORST = 12
_RIGHT, _WRONG = (31, 143, 134), (214, 69, 65)


def choose_convention() -> Convention:
    """Whose mean IoU the page shows, with its rule in a sentence."""
    chosen: Convention = st.selectbox(
        "Mean IoU as counted by",
        list(CONVENTIONS),
        index=list(CONVENTIONS).index("mmsegmentation"),
        key=state.CONVENTION,
        format_func=lambda name: CONVENTIONS[name].title,
    )
    st.caption(CONVENTIONS[chosen].explanation)
    return chosen


def models(runs: Sequence[RunScores], convention: Convention) -> None:
    """One row per model."""
    st.subheader("Models", anchor=False)
    table = score_tables.models_table(runs, convention).dropna(axis=1, how="all")
    if not table["skipped"].any():
        table = table.drop(columns="skipped")
    columns = {name: st.column_config.NumberColumn(format="%.1f") for name in table.columns if name.endswith("%")}
    columns["mean IoU %"] = st.column_config.ProgressColumn(min_value=0, max_value=100, format="%.1f")
    st.dataframe(table, hide_index=True, column_config=columns, placeholder="–", alt="Models and their scores")
    st.caption(
        "From and to: the 95 % interval of mean IoU, from 10,000 bootstrap samples of the pictures. Better than: the "
        "interval of the difference on the same pictures lies above zero; an empty cell may be luck. "
        + _uncovered(runs)
    )


def _uncovered(runs: Sequence[RunScores]) -> str:
    told = [
        f"{name} is scored over {len(run.run.identity.space.classes)} classes, "
        f"{text.percent(run.total.coverage.share())} of the labelled pixels."
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
    best = table.drop(columns="share of pixels %")
    styled = table.style.format("{:.1f}", na_rep="–").highlight_max(
        axis=1, subset=list(best.columns), props="font-weight: bold; color: #1f8f86"
    )
    st.dataframe(styled if len(best.columns) > 1 else table.style.format("{:.1f}", na_rep="–"), height="content")
    st.caption("IoU in percent from the pixels of all pictures together: those that truth and prediction both call by "
               "the class, of those that either does. A dash: in neither.")  # fmt: skip


def downloads(runs: Sequence[RunScores], convention: Convention) -> None:
    """All scores as JSON, those of the classes as CSV."""
    with st.container(horizontal=True):
        st.download_button(
            "Download classes (CSV)",
            lambda: scoreboard.class_table(runs).encode("utf-8-sig"),
            file_name="segdemo.classes.csv",
            mime="text/csv",
            on_click="ignore",
            icon=":material/table:",
        )
        st.download_button(
            "Download all scores (JSON)",
            lambda: json.dumps(scoreboard.report(runs, convention), indent=1).encode(),
            file_name="segdemo.scores.json",
            mime="application/json",
            on_click="ignore",
            icon=":material/download:",
        )


def choose_run(runs: Sequence[RunScores]) -> RunScores:
    """Which model the rest of the page looks into."""
    st.subheader("Look into one model", anchor=False)
    names = score_tables.names(runs)
    name = st.segmented_control("Model", names, default=names[0], required=True, label_visibility="collapsed")
    return runs[names.index(name) if name in names else 0]


def pictures(run: RunScores, dataset: Dataset) -> None:
    """How the pictures score, the worst ones to choose from, and one of them with truth, answer and errors."""
    table = score_tables.pictures(run)
    if table.empty:
        return
    left, right = st.columns(2)
    with left:
        st.markdown("**All pictures**")
        st.plotly_chart(charts.distribution(table), config=_PLOT)
    with right:
        st.markdown("**The worst**")
        worst = table.head(_WORST)
        position = st.selectbox(
            "Picture",
            worst["position"].tolist(),
            format_func=dict(zip(worst["position"], map(_line, worst.itertuples()), strict=True)).__getitem__,
        )
        st.caption("Image mean IoU over the classes in a picture's own truth or prediction; not what papers print.")
    with problems.shown():
        _one(run, dataset, position)


def _line(row: tuple) -> str:
    return f"{text.short(row[2])}: {row[3]:.1f} %"


def _one(run: RunScores, dataset: Dataset, position: int) -> None:
    sample = cache.sample(dataset.digest, position, dataset)
    if sample.labels is None:
        return
    identity = run.run.identity
    with st.grid(4, min_column_width=220):
        places = [st.container(gap="xsmall") for _ in range(4)]
    answer = jobs.watch(
        lambda job: cache.run(
            sample.image.digest, identity.model, state.device(), identity.precision, sample.image, job
        ),
        lambda: places[2].empty(),
    )
    common = mapping(dataset.space, catalog.find(identity.model).space)
    truth, found = common.truth(sample.labels), common.prediction(answer.prediction.labels)
    palette = common.space.palette()
    views = {
        "Picture": sample.image.rgb,
        "Truth": overlay.blend(sample.image.rgb, truth, palette, 0.6),
        "Prediction": overlay.blend(sample.image.rgb, found, palette, 0.6),
        "Errors": _errors(sample, truth, found),
    }
    for place, (title, rgb) in zip(places, views.items(), strict=True):
        with place:
            st.markdown(f"**{title}**")
            st.image(_jpeg(rgb), width="stretch", alt=f"{title} of {sample.name}")
    st.caption("Errors: green is right, red is wrong, what has no label stays grey.")


def _errors(sample: Sample, truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    grey = np.repeat(sample.image.rgb.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    verdict = np.where(truth == VOID, VOID, (truth != found).astype(np.uint8))
    palette = np.zeros((256, 3), np.uint8)
    palette[:2] = _RIGHT, _WRONG
    return overlay.blend(grey, verdict, palette, 0.6, frozenset({0, 1}))


def _jpeg(rgb: np.ndarray) -> bytes:
    return overlay.encode_jpeg(overlay.fit(rgb, np.zeros(rgb.shape[:2], np.uint8), overlay.SCREEN_SIDE)[0])


def details(run: RunScores) -> None:
    """Confusion, calibration, sizes and boundaries of one model."""
    total = run.total
    if total.classes is None:
        return
    tabs = st.tabs(["Confusion", "Sizes", "Boundaries", "Calibration"])
    with tabs[0]:
        by = st.segmented_control("In percent of", ["truth", "prediction"], default="truth", required=True)
        st.plotly_chart(charts.confusion(score_tables.confusion(run, by), by), config=_PLOT)
    with tabs[1]:
        st.dataframe(score_tables.by_size(run).style.format("{:.1f}", na_rep="–"), height="content")
        st.caption(
            "Recall in percent of the true pixels, by the size of the connected region they belong to: small below "
            "32², medium below 96² pixels."
        )
    with tabs[2]:
        if total.boundaries is not None:
            _boundaries(run, total.boundaries)
    with tabs[3]:
        _calibration(run)


def _boundaries(run: RunScores, boundaries: BoundaryCounts) -> None:
    names = run.run.identity.space.classes
    rows = {"class": names, "boundary IoU %": 100 * boundaries.iou()}
    st.dataframe(rows, hide_index=True, column_config={"boundary IoU %": st.column_config.NumberColumn(format="%.1f")})
    low, high = boundaries.widths
    width = f"{low}" if low == high else f"{low} to {high}"
    st.caption(f"IoU of the pixels within {width} pixels of a class's own outline (2 % of the diagonal; Cheng 2021).")


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
    error = text.percent(bins.expected_calibration_error())
    st.caption(f"Expected calibration error {error}: the mean gap between confidence and rightness, in 15 bins.")
