"""What stands below the pictures: tables, times, what a model is, and downloads."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st

from segdemo import exports, tables
from segdemo.confusion import Score
from segdemo.exports import Entry
from segdemo.models import catalog
from segdemo.overlay import Look
from segdemo.ui import cache, text
from segdemo.ui.cache import Run
from segdemo.ui.pictures import Picture
from segdemo.ui.scores import Scores


def class_table(runs: Sequence[Run], scores: Sequence[Scores]) -> pd.DataFrame:
    """Shares, and IoU where there are labels, of the classes that some model found or that the labels hold."""
    ious = {run.prediction.model: score.iou for run, score in zip(runs, scores, strict=True) if score.iou is not None}
    table = tables.class_table([run.prediction for run in runs], ious)
    numbers = table.drop(columns="class")
    return table[(numbers.fillna(0) > 0).any(axis=1) | numbers.filter(like="IoU").notna().any(axis=1)]


def show_classes(table: pd.DataFrame) -> None:
    """The class table, one model's numbers side by side below its title; numbers with one decimal, "–" for none."""
    shown = table.set_index("class")
    kinds, titles = (list(dict.fromkeys(part)) for part in zip(*map(_parts, shown.columns), strict=True))
    shown = shown.reindex(columns=[f"{kind} · {title}" for title in titles for kind in kinds])
    # By position, as names do not reach columns below a title; 0 is the index.
    columns: dict[Any, Any] = {0: st.column_config.TextColumn(width=120)}
    for position, (kind, title) in enumerate(map(_parts, shown.columns), start=1):
        explained = f"{title}: {_HELP[kind]}"
        if kind == "share %" and len(titles) == 1:
            columns[position] = st.column_config.ProgressColumn(max_value=100, format="%.1f", help=explained)
        else:
            columns[position] = st.column_config.NumberColumn(format="%.1f", help=explained)
    shown.columns = _headings(kinds, titles)
    st.dataframe(shown, height="content", column_config=columns, placeholder="–", alt="Classes and numbers")


def _headings(kinds: list[str], titles: list[str]) -> pd.Index:
    """Headings in the order title by title; a level with only one entry stands above, one model's is left out."""
    if len(titles) == 1:
        return pd.Index(kinds)
    if len(kinds) == 1:
        return pd.MultiIndex.from_product([kinds, titles])
    return pd.MultiIndex.from_product([titles, kinds])


def _parts(column: str) -> tuple[str, str]:
    """A column of `tables.class_table` as what it holds and of which model."""
    kind, _, title = column.partition(" · ")
    return kind, title


_HELP: Final = {
    "share %": "percent of the picture's pixels; none where the model does not know the class.",
    "IoU %": "intersection over union with the labels, in percent: pixels that both call by this class, of those that "
    "either does. None where neither does.",
}


def show_metrics(run: Run, score: Scores) -> None:
    """The three numbers of one answer."""
    prediction = run.prediction
    present = np.bincount(prediction.labels.ravel(), minlength=256)[: len(prediction.space.classes)]
    with st.grid(3, min_column_width=130):
        st.metric("Time", text.duration(prediction.times.total_s), help=times_caption([run]), border=True)
        st.metric("Classes found", f"{np.count_nonzero(present)} of {present.size}", border=True)
        if score.mean is not None:
            _mean_iou("Image mean IoU", score.mean)
    if score.mean is not None:
        st.caption(f"Image mean IoU over the {score.mean.classes} classes in truth or prediction.")
    if score.problem:
        st.warning(text.plain(score.problem), icon=":material/warning:")


def show_mean_ious(runs: Sequence[Run], scores: Sequence[Scores]) -> None:
    """The image's mean IoU of each model that could be scored, and why the others could not."""
    titles = tables.titles([run.prediction.model for run in runs])
    for title, score in zip(titles, scores, strict=True):
        if score.problem:
            st.warning(f"{title}: {text.plain(score.problem)}", icon=":material/warning:")
    scored = [(title, score.mean) for title, score in zip(titles, scores, strict=True) if score.mean is not None]
    if scored:
        counts = ", ".join(f"{mean.classes} ({title})" for title, mean in scored)
        st.caption(f"Image mean IoU over the classes in truth or prediction: {counts}.")
        with st.grid(min(len(scored), 4), min_column_width=150):
            for title, mean in scored:
                _mean_iou(title, mean)


def _mean_iou(label: str, mean: Score) -> None:
    st.metric(
        label,
        "–" if mean.classes == 0 else f"{100 * mean.value:.1f} %",
        border=True,
        help="Intersection over union, averaged over the classes of this one picture. Published scores pool the pixels "
        "of a whole data set first, so the two are not comparable.",
    )


def times_title(runs: Sequence[Run]) -> str:
    """Where the times were measured."""
    return f"{cache.device_name(runs[0].device)}, {runs[0].precision}"


def times_caption(runs: Sequence[Run]) -> str:
    """What exactly was timed."""
    size_hw = runs[0].prediction.labels.shape
    cold = [catalog.find(run.prediction.model).title for run in runs if not run.warm]
    caption = f"One run at {size_hw[1]} × {size_hw[0]} pixels on {text.plain(times_title(runs))}"
    if not cold:
        return f"{caption}, after a warm-up run."
    return f"{caption}. The first run after loading, which is slower than later ones: {', '.join(cold)}."


def downloads(runs: Sequence[Run], looks: Sequence[Look], picture: Picture, table: pd.DataFrame) -> None:
    """One zip of everything, and the class table as CSV; made when they are asked for. looks: as the page draws."""
    image = picture.image()
    entries = [
        Entry(run.prediction, image, catalog.find(run.prediction.model), run.device, run.precision, look)
        for run, look in zip(runs, looks, strict=True)
    ]
    [stem] = exports.safe_stems([picture.name])
    with st.container(horizontal=True):
        st.download_button(
            "Download results (zip)",
            lambda: exports.zip_results(entries),
            file_name=f"{stem}.segdemo.zip",
            mime="application/zip",
            on_click="ignore",
            icon=":material/download:",
            help="For each model the label map (PNG of class ids), the overlay at full size, and a JSON file with "
            "areas, objects, times, model and licence.",
        )
        st.download_button(
            "Download table (CSV)",
            lambda: exports.csv_text(table.columns, table.itertuples(index=False)).encode("utf-8-sig"),
            file_name=f"{stem}.classes.csv",
            mime="text/csv",
            on_click="ignore",
            icon=":material/table:",
        )


def objects(run: Run) -> None:
    """The instances or segments with their scores."""
    if run.prediction.segments is None:
        [title] = tables.titles([run.prediction.model])
        st.caption(f"{title} gives a class for every pixel and does not tell single objects apart.")
        return
    table = tables.instance_table(run.prediction)
    if table.empty:
        st.caption("No objects were found.")
        return
    score = st.column_config.ProgressColumn("score", min_value=0, max_value=1, format="%.2f")
    st.dataframe(table, hide_index=True, column_config={"score": score}, alt="Objects with their scores")


def stage_times(run: Run) -> None:
    """The three stages and their sum."""
    times = run.prediction.times
    stages = (
        ("Preprocess", times.preprocess_s, "The picture becomes the network's input."),
        ("Forward", times.forward_s, "The network itself."),
        ("Postprocess", times.postprocess_s, "The network's output becomes class labels at the picture's size."),
        ("Total", times.total_s, None),
    )
    with st.grid(4, min_column_width=120):
        for name, seconds, explanation in stages:
            st.metric(name, text.duration(seconds), help=explanation, border=True)
    st.caption(times_caption([run]))


def differing_spaces(runs: Sequence[Run]) -> None:
    """A note where models do not know the same classes."""
    spaces = {run.prediction.space.name: len(run.prediction.space.classes) for run in runs}
    if len(spaces) > 1:
        named = ", ".join(f"{name} ({count} classes)" for name, count in spaces.items())
        st.info(
            f"These models know different classes: {named}. Only classes of the same name share a row and a colour; "
            "what one model does not know is empty, not zero.",
            icon=":material/info:",
        )
