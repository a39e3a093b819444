"""Scores of answers against labels: a scene's own, or a label image that the person gave."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import streamlit as st

from segdemo import agreement, confusion
from segdemo.class_mapping import mapping
from segdemo.errors import SegdemoError
from segdemo.labels import CAMVID, LabelSpace
from segdemo.models import catalog
from segdemo.prediction import Prediction
from segdemo.ui import cache, state, text
from segdemo.ui.pictures import MOST_UPLOAD_MB, Picture

_SPACES: Final = {spec.space.name: spec.space for spec in catalog.CATALOG}


@dataclass(frozen=True, eq=False)
class Truth:
    """A picture's labels, (H, W) uint8, and what their ids mean."""

    labels: np.ndarray
    space: LabelSpace


@dataclass(frozen=True)
class Scores:
    """IoU in [0, 1] by the name of its class, NaN where that is in neither, and their mean; or why there is none.

    space: the classes that the labels and the model share.
    """

    iou: dict[str, float] | None = None
    mean: confusion.Score | None = None
    space: LabelSpace | None = None
    problem: str | None = None


def against_labels(prediction: Prediction, truth: Truth | None) -> Scores:
    """Score an answer on the classes that it shares with the labels; without labels, neither a score nor a problem.

    Classes that the model never gives (Mask R-CNN: a sky) have no score and are not in the mean.
    """
    if truth is None:
        return Scores()
    try:
        common = mapping(truth.space, prediction.space)
    except SegdemoError as error:
        return Scores(problem=str(error))
    size, silent = len(common.space.classes), agreement.silent(common.prediction_ids, prediction)
    counts = confusion.count(common.truth(truth.labels), common.prediction(prediction.labels), size)
    iou = np.where(np.isin(np.arange(size), list(silent)), np.nan, counts.iou())
    named = dict(zip(common.space.classes, iou.tolist(), strict=True))
    return Scores(named, counts.mean_iou(without=silent), common.space)


def choose_labels(picture: Picture) -> None:
    """The sidebar's part: which labels to score against."""
    if picture.seed is not None:
        st.toggle(
            "Score against the scene's own labels",
            value=True,
            key=state.SCENE_LABELS,
            persist_state="session",
            help="A generated scene knows the class of each of its pixels. The starters were trained on such scenes, "
            "so their scores here are higher than on photographs.",
        )
    elif kept := state.label_file(picture.id):
        st.caption(f"Scoring against {text.plain(text.short(kept[0]))}")
        st.selectbox(
            "Its classes are those of",
            list(_SPACES),
            key=state.label_space_key(picture.id),
            persist_state="session",
            help="What its ids or colours stand for. Models of other label sets are scored on the classes that both "
            "know.",
        )
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
        known = [spec.space.name for spec in state.chosen_models()]
        st.session_state[state.label_space_key(picture_id)] = known[0] if known else CAMVID.name


def truth(picture: Picture) -> Truth | None:
    """The picture's labels, None where there are none. Says on the page where a label image does not fit."""
    if picture.seed is not None:
        labels = picture.own_labels() if st.session_state.get(state.SCENE_LABELS, True) else None
        return None if labels is None else Truth(labels, CAMVID)
    if (kept := state.label_file(picture.id)) is None:
        return None
    space = _SPACES[st.session_state[state.label_space_key(picture.id)]]
    try:
        return Truth(cache.label_image(kept[0], space, picture.image().size_hw, kept[1]), space)
    except SegdemoError as error:
        st.warning(text.plain(str(error)), icon=":material/warning:")
        return None
