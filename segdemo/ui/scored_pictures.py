"""Single pictures of an evaluation, the telling ones first: the picture, its truth, the answer and the errors."""

from typing import Final

import numpy as np
import streamlit as st

from segdemo import overlay, score_tables
from segdemo.class_mapping import mapping
from segdemo.datasets import Dataset
from segdemo.labels import VOID, LabelSpace
from segdemo.models import catalog
from segdemo.sample import Sample
from segdemo.scoreboard import RunScores
from segdemo.ui import cache, jobs, problems, state, text
from segdemo.ui.score_views import Cell

_RIGHT: Final = (31, 143, 134)
_WRONG: Final = (214, 69, 65)
_MOST: Final = 100


def show(run: RunScores, dataset: Dataset, cell: Cell | None) -> None:
    """Choose one of the worst pictures, or of those that hold a confusion, and look at it.

    cell: the confusion that is chosen already.
    """
    if run.tallies is None:
        return
    st.subheader("Pictures", anchor=False)
    left, right = st.columns(2)
    with left:
        cell = _choose_cell(run, cell)
    rows = _worst(run) if cell is None else _holding(run, cell)
    if not rows:
        st.info("No picture holds this.")
        return
    with right:
        position = st.selectbox("Picture", list(rows), format_func=rows.__getitem__, key=f"{run.run.id}:{cell}")
    with problems.shown():
        _one(run, dataset, position, cell)


def _choose_cell(run: RunScores, chosen: Cell | None) -> Cell | None:
    named = {Cell(t, p): percent for t, p, percent in score_tables.largest_confusions(run)}
    cells = list(dict.fromkeys([None, *([chosen] if chosen else []), *named]))

    def name(cell: Cell | None) -> str:
        if cell is None:
            return "The worst first"
        share = f", {named[cell]:.1f} % of it" if cell in named else ""
        return f"{_name(run, cell.truth)} seen as {_name(run, cell.prediction)}{share}"

    # A key of its own for every click, so that the list follows the chart.
    return st.selectbox(
        "Which pictures", cells, index=cells.index(chosen), format_func=name, key=f"cells:{run.run.id}:{chosen}"
    )


def _name(run: RunScores, class_id: int) -> str:
    return score_tables.NO_CLASS if class_id == VOID else run.run.identity.space.classes[class_id]


def _worst(run: RunScores) -> dict[int, str]:
    table = score_tables.pictures(run).head(_MOST)
    return {row[1]: f"{text.short(row[2])}: {row[3]:.1f} % mean IoU" for row in table.itertuples()}


def _holding(run: RunScores, cell: Cell) -> dict[int, str]:
    found = cache.confused(run.run.id, cell.truth, cell.prediction, run.run)[:_MOST]
    return {position: f"{text.short(name)}: {pixels:,} pixels" for position, name, pixels in found}


def _one(run: RunScores, dataset: Dataset, position: int, cell: Cell | None) -> None:
    sample = cache.sample(dataset.digest, position, dataset)
    if sample.labels is None:
        return
    identity = run.run.identity
    waiting = st.empty()
    answer = jobs.watch(
        lambda job: cache.run(
            sample.image.digest,
            identity.model,
            state.device(),
            identity.precision,
            identity.extras,
            sample.image,
            job,
        ),
        jobs.bar(lambda: waiting),
    )
    waiting.empty()
    common = mapping(dataset.space, catalog.find(identity.model).space)
    truth, found = common.truth(sample.labels), common.prediction(answer.prediction.labels)
    _views(sample, truth, found, common.space, cell)


def _views(sample: Sample, truth: np.ndarray, found: np.ndarray, space: LabelSpace, cell: Cell | None) -> None:
    palette = space.palette()
    views = {
        "Picture": sample.image.rgb,
        "Truth": overlay.blend(sample.image.rgb, truth, palette, 0.6),
        "Prediction": overlay.blend(sample.image.rgb, found, palette, 0.6),
        "Errors": _errors(sample.image.rgb, truth, found, cell),
    }
    with st.grid(2, min_column_width=280):
        for title, rgb in views.items():
            with st.container(gap="xsmall"):
                st.markdown(f"**{title}**")
                st.image(_jpeg(rgb), width="stretch", alt=f"{title} of {sample.name}")
    seen = np.bincount(np.concatenate([truth.ravel(), found.ravel()]), minlength=256)[: len(space.classes)]
    names = [f"{text.swatch(space.colors[i])} {text.plain(space.classes[i])}" for i in np.flatnonzero(seen)]
    st.markdown("&ensp; ".join(names))
    meaning = "Red: the pixels that were chosen above." if cell else "Green is right, red is wrong."
    st.caption(f"Errors: {meaning} What has no label stays grey.")


def _errors(rgb: np.ndarray, truth: np.ndarray, found: np.ndarray, cell: Cell | None) -> np.ndarray:
    """Right and wrong over the picture in grey, or the pixels of one confusion alone."""
    grey = np.repeat(rgb.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    if cell is None:
        verdict = np.where(truth == VOID, VOID, (truth != found).astype(np.uint8))
    else:
        verdict = np.where((truth == cell.truth) & (found == cell.prediction), np.uint8(1), np.uint8(VOID))
    palette = np.zeros((256, 3), np.uint8)
    palette[:2] = _RIGHT, _WRONG
    return overlay.blend(grey, verdict, palette, 0.6, frozenset({0, 1}))


def _jpeg(rgb: np.ndarray) -> bytes:
    return overlay.encode_jpeg(overlay.fit(rgb, np.zeros(rgb.shape[:2], np.uint8), overlay.SCREEN_SIDE)[0])
