"""Scores of an answer against labels: a scene's own, or a label image that the person gave."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import streamlit as st

from segdemo import confusion
from segdemo.errors import SegdemoError
from segdemo.labels import CAMVID, LabelSpace
from segdemo.prediction import Prediction
from segdemo.ui import cache, state, text
from segdemo.ui.pictures import MOST_UPLOAD_MB, Picture


@dataclass(frozen=True)
class Scores:
    """IoU per class (C,) in [0, 1], NaN where a class is in neither, and its mean; or the reason why there is none."""

    iou: np.ndarray | None = None
    mean: confusion.Score | None = None
    problem: str | None = None


def against_labels(prediction: Prediction, picture: Picture) -> Scores:
    """Score an answer; without labels there is neither a score nor a problem."""
    try:
        truth = _truth(picture, prediction)
    except SegdemoError as error:
        return Scores(problem=str(error))
    if truth is None:
        return Scores()
    counts = confusion.count(truth, prediction.labels, len(prediction.space.classes))
    return Scores(counts.iou(), counts.mean_iou())


def choose_labels(picture: Picture) -> None:
    """The sidebar's part: which labels to score against."""
    if picture.seed is not None:
        st.toggle(
            "Score against the scene's own labels",
            key=state.SCENE_LABELS,
            persist_state="session",
            help="A generated scene knows the class of each of its pixels. The starters were trained on such scenes, "
            "so their scores here are higher than on photographs.",
        )
    elif kept := state.label_file(picture.id):
        st.caption(f"Scoring against {text.plain(text.short(kept[0]))}")
        st.button("Remove the label image", on_click=state.forget_label_file, args=(picture.id,))
    else:
        st.file_uploader(
            "Label image (PNG)",
            type="png",
            key=f"labels:{picture.id}",
            max_upload_size=MOST_UPLOAD_MB,
            on_change=_keep,
            args=(picture.id,),
            help="The right classes of this picture: a PNG of the same size, with class ids as pixel values or in the "
            "data set's colours. It adds the IoU of every class to the tables.",
        )


def _keep(picture_id: str) -> None:
    if (file := st.session_state[f"labels:{picture_id}"]) is not None:
        state.keep_label_file(picture_id, file.name, file.getvalue())


def truth(picture: Picture, predictions: Iterable[Prediction]) -> tuple[np.ndarray, LabelSpace] | None:
    """The labels (H, W) uint8 in the classes of the first model that they fit; None where there are no such."""
    for prediction in predictions:
        with suppress(SegdemoError):
            if (labels := _truth(picture, prediction)) is not None:
                return labels, prediction.space
    return None


def _truth(picture: Picture, prediction: Prediction) -> np.ndarray | None:
    """The labels in the model's classes, None where there are none. Raises `ImageError` where they do not fit."""
    space = prediction.space
    if picture.seed is not None:
        wanted = st.session_state[state.SCENE_LABELS] and space.name == CAMVID.name
        return picture.own_labels() if wanted else None
    kept = state.label_file(picture.id)
    height, width = prediction.labels.shape
    return None if kept is None else cache.label_image(kept[0], space, (height, width), kept[1])
