"""What stands below the pictures: tables, times, what a model is, and downloads."""

import mimetypes
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st

from segdemo import exports, report, tables, words
from segdemo.confusion import Score
from segdemo.exports import Entry
from segdemo.extras import Extras
from segdemo.models import catalog
from segdemo.overlay import Look
from segdemo.report import Table
from segdemo.ui import cache, text
from segdemo.ui.cache import Run
from segdemo.ui.learn import links
from segdemo.ui.pictures import Picture
from segdemo.ui.scores import Scores


def class_table(runs: Sequence[Run], scores: Sequence[Scores]) -> pd.DataFrame:
    """Shares, and IoU where there are labels, of the classes that some model found or that the labels hold."""
    ious = {run.prediction.model: score.iou for run, score in zip(runs, scores, strict=True) if score.iou is not None}
    table = tables.class_table([run.prediction for run in runs], ious)
    numbers = table.drop(columns=["class", tables.BEST], errors="ignore")
    return table[(numbers.fillna(0) > 0).any(axis=1) | numbers.filter(like="IoU").notna().any(axis=1)]


def show_classes(table: pd.DataFrame) -> None:
    """The class table; numbers with one decimal, "–" for none."""
    shown, columns = _by_title(table), dict[Any, Any]()
    # By position, as names do not reach columns below a title; 0 is the index.
    columns[0] = st.column_config.TextColumn(width=120)
    kinds = [kind for name in shown.columns for kind in _HELP if kind in name]
    for position, kind in enumerate(kinds, start=1):
        if kind == "share %" and shown.columns.nlevels == 1:
            columns[position] = st.column_config.ProgressColumn(max_value=100, format="%.1f", help=_HELP[kind])
        else:
            columns[position] = st.column_config.NumberColumn(format="%.1f", help=_HELP[kind])
    st.dataframe(shown, height="content", column_config=columns, placeholder="–", alt="Classes and numbers")


def _by_title(table: pd.DataFrame) -> pd.DataFrame:
    """`class_table` with one model's numbers side by side below its title, and which is the best last."""
    shown = table.set_index("class")
    best = shown.pop(tables.BEST) if tables.BEST in shown else None
    kinds, titles = (list(dict.fromkeys(part)) for part in zip(*map(_parts, shown.columns), strict=True))
    shown = shown.reindex(columns=[f"{kind} · {title}" for title in titles for kind in kinds])
    shown.columns = _headings(kinds, titles)
    if best is not None:
        shown[(tables.BEST, "")] = best
    return shown


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


_CLASSES_NOTE: Final = (
    "Share: percent of the picture's pixels. IoU: intersection over union with the labels, in percent, of this one "
    "picture; – where a class is in neither, or unknown to the model."
)
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
        st.metric("Time", words.duration(prediction.times.total_s), help=times_caption([run]), border=True)
        st.metric("Classes found", f"{np.count_nonzero(present)} of {present.size}", border=True)
        if score.mean is not None:
            _mean_iou("Image mean IoU", score.mean)
    if prediction.extras:
        st.caption(f"Seen with {prediction.extras.words}.")
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
        mapped = dict.fromkeys(score.space for score in scores if score.space and " and " in score.space.name)
        for space in mapped:
            st.caption(f"{space.name} are compared on: {', '.join(space.classes)}.")
        with st.grid(min(len(scored), 4), min_column_width=150):
            for title, mean in scored:
                _mean_iou(title, mean)
        links.show(links.SCORES, "What mean IoU hides")


def _mean_iou(label: str, mean: Score) -> None:
    st.metric(
        label,
        "–" if mean.classes == 0 else f"{100 * mean.value:.1f} %",
        border=True,
        help="Intersection over union, averaged over the classes of this one picture. Published scores pool the pixels "
        "of a whole data set first, so the two are not comparable.",
    )


def times_caption(runs: Sequence[Run]) -> str:
    """What exactly was timed."""
    size_hw = runs[0].prediction.labels.shape
    cold = [catalog.find(run.prediction.model).title for run in runs if not run.warm]
    where = f"{text.plain(cache.device_name(runs[0].device))}, {runs[0].precision}{_extras(runs)}"
    caption = f"One run at {size_hw[1]} × {size_hw[0]} pixels on {where}"
    if not cold:
        return f"{caption}, after a warm-up run."
    return f"{caption}. The first run after loading, which is slower than later ones: {', '.join(cold)}."


def _extras(runs: Sequence[Run]) -> str:
    """What was done beyond one look at the whole picture: ", with flipped views (FCN starter)"; "" for nothing."""
    models: dict[Extras, list[str]] = {}
    for run in runs:
        if run.prediction.extras:
            models.setdefault(run.prediction.extras, []).append(catalog.find(run.prediction.model).title)
    return "".join(f", with {extras.words} ({', '.join(titles)})" for extras, titles in models.items())


def downloads(
    runs: Sequence[Run], looks: Mapping[str, Look], picture: Picture, table: pd.DataFrame, more: Sequence[Table]
) -> None:
    """One zip of everything, a report, and the class table as CSV; made when they are asked for.

    looks: by the model's key. table: `class_table`. more: further tables for the report.
    """
    image = picture.image()
    entries = [
        Entry(run.prediction, image, catalog.find(key), run.device, run.precision, looks[key])
        for run in runs
        for key in [run.prediction.model]
    ]
    times = tables.times_table([run.prediction for run in runs]).set_index("model")
    parts = [Table("Classes", _by_title(table), _CLASSES_NOTE), *more, Table("Times", times, times_caption(runs))]
    [stem] = exports.safe_stems([picture.name])
    with st.container(horizontal=True):
        _download(
            "Download results (zip)",
            lambda: exports.zip_results(entries),
            f"{stem}.segdemo.zip",
            icon=":material/download:",
            help="For each model the label map (PNG of class ids), the overlay at full size, and a JSON file with "
            "areas, objects, times, model and licence.",
        )
        _download(
            "Download report (HTML)",
            lambda: report.html(entries, parts, datetime.now(UTC)).encode(),
            f"{stem}.report.html",
            icon=":material/description:",
            help="One page that opens without a network: pictures, tables, times, models and their licences.",
        )
        _download(
            "Download table (CSV)",
            lambda: exports.csv_text(table.columns, table.itertuples(index=False)).encode("utf-8-sig"),
            f"{stem}.classes.csv",
            icon=":material/table:",
        )


def _download(label: str, make: Callable[[], bytes], file_name: str, icon: str, help: str | None = None) -> None:
    mime = mimetypes.guess_type(file_name)[0] or "application/octet-stream"
    st.download_button(label, make, file_name=file_name, mime=mime, on_click="ignore", icon=icon, help=help)


def objects(run: Run) -> None:
    """The instances or segments with their scores."""
    if run.prediction.segments is None:
        [title] = tables.titles([run.prediction.model])
        st.caption(f"{title} gives a class for every pixel and does not tell single objects apart.")
        links.show(links.KINDS, "Semantic, instance, panoptic: the difference")
        return
    table = tables.instance_table(run.prediction)
    if table.empty:
        st.caption("No objects were found.")
        return
    score = st.column_config.ProgressColumn("score", min_value=0, max_value=1, format="%.2f")
    st.dataframe(table, hide_index=True, column_config={"score": score}, alt="Objects with their scores")


def stage_times(run: Run) -> None:
    """The stages and their sum."""
    times = run.prediction.times
    stages = (
        ("Transfer", times.transfer_s, "The picture's bytes go to the device; on a CPU they are copied."),
        ("Preprocess", times.preprocess_s, "The picture becomes the network's input."),
        ("Forward", times.forward_s, "The network itself."),
        ("Postprocess", times.postprocess_s, "The network's output becomes class labels at the picture's size."),
        ("Total", times.total_s, None),
    )
    with st.grid(5, min_column_width=110):
        for name, seconds, explanation in stages:
            st.metric(name, words.duration(seconds), help=explanation, border=True)
    st.caption(times_caption([run]))
    links.show(links.PIXELS, "What happens in these stages")


def differing_spaces(runs: Sequence[Run]) -> None:
    """A note where models do not know the same classes."""
    spaces = {run.prediction.space.name: len(run.prediction.space.classes) for run in runs}
    if len(spaces) > 1:
        named = ", ".join(f"{name} ({count} classes)" for name, count in spaces.items())
        st.info(
            f"These models know different classes: {named}. In the table, classes of the same name share a row, and "
            "what a model does not know is empty, not zero. Agreement, errors and scores are over the classes that "
            "both sides know, under whatever name.",
            icon=":material/info:",
        )
