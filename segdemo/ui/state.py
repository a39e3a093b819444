"""Every key of the session's state: what a person has chosen. Identities only; models and results live in caches."""

from typing import Final

import streamlit as st

from segdemo.models import Precision, catalog
from segdemo.models.catalog import ModelSpec

# Chosen on a first visit. A newcomer waits for the first: on 2 cores 7 s with torchvision, 11 s with transformers.
FIRST_MODELS: Final = ("starter/deeplabv3", "starter/mask2former")
MOST_MODELS: Final = 6

PICTURE: Final = "picture"  # id of the picture shown
UPLOADS: Final = "uploads"  # the uploader's files
SEEN: Final = "seen"  # ids of the uploads that were there when last looked
PHOTO: Final = "photo"  # the camera's picture
CAMERA: Final = "camera"  # bool: the camera is on
DEVICE: Final = "device"
PRECISION: Final = "precision"
SEGMENT_MODEL: Final = "segment_model"  # key of the model on the Segment page
OPACITY: Final = "opacity"  # percent
OUTLINES: Final = "outlines"
OBJECTS: Final = "objects"  # bool: draw the instances' outlines
SAFE_COLORS: Final = "safe_colors"  # bool: the colour-blind safe palette
SCENE_LABELS: Final = "scene_labels"  # bool: score against a scene's own labels
DATASET_KIND: Final = "dataset_kind"
DATASET_FILE: Final = "dataset_file"  # the uploader's zip archive
DATASET_NAME: Final = "dataset_name"  # of one in the folder of data sets
SCENE_COUNT: Final = "scene_count"
CONVENTION: Final = "convention"
WITHOUT_BACKGROUND: Final = "without_background"  # bool: leave it out of mean IoU
EVALUATION: Final = "evaluation"  # the one that is running
EVALUATION_PROBLEMS: Final = "evaluation_problems"  # sentences of the one that ended last
_LABEL_FILES: Final = "label_files"  # picture id -> (name, bytes) of its label image
_PROBLEMS: Final = "problems"  # what was asked of a model -> the sentence it failed with


def model_key(key: str) -> str:
    """The state's key of a model's tick."""
    return f"model:{key}"


def class_key(name: str) -> str:
    """The state's key of a class's tick; one tick for the same name in several label sets."""
    return f"class:{name}"


def begin() -> None:
    """Defaults of a first visit."""
    first = {model_key(key): True for key in FIRST_MODELS}
    looks = {OPACITY: 55, OUTLINES: True, OBJECTS: True, SAFE_COLORS: False}
    rest = {SCENE_LABELS: True, CAMERA: False, SEEN: [], _LABEL_FILES: {}, _PROBLEMS: {}}
    for key, value in {**first, **looks, **rest}.items():
        st.session_state.setdefault(key, value)
    # Set anew, or a control on two pages shows its lowest value after the page has changed (Streamlit 1.67).
    for key in [*looks, *(str(key) for key in st.session_state if str(key).startswith(class_key("")))]:
        st.session_state[key] = st.session_state[key]


def chosen_models() -> list[ModelSpec]:
    """The ticked models in the catalogue's order."""
    return [spec for spec in catalog.CATALOG if st.session_state.get(model_key(spec.key))]


def device() -> str:
    """The chosen device; "auto" is the fastest."""
    return st.session_state.get(DEVICE, "auto")


def precision() -> Precision:
    """The chosen precision."""
    return st.session_state.get(PRECISION, "fp32")


def is_shown(class_name: str) -> bool:
    """Whether a class is drawn; classes are until they are switched off."""
    return st.session_state.get(class_key(class_name), True)


def label_file(picture_id: str) -> tuple[str, bytes] | None:
    """Name and bytes of the label image that was given for a picture."""
    return st.session_state[_LABEL_FILES].get(picture_id)


def keep_label_file(picture_id: str, name: str, data: bytes) -> None:
    """Keep a picture's label image while the person looks at other pictures and pages."""
    st.session_state[_LABEL_FILES][picture_id] = (name, data)


def forget_label_file(picture_id: str) -> None:
    """Take a picture's label image away."""
    st.session_state[_LABEL_FILES].pop(picture_id, None)


def problem(asked: str) -> str | None:
    """The sentence that this request failed with, so that it is not tried again on every click."""
    return st.session_state[_PROBLEMS].get(asked)


def keep_problem(asked: str, sentence: str) -> None:
    """Remember that this request failed."""
    st.session_state[_PROBLEMS][asked] = sentence


def forget_problem(asked: str) -> None:
    """Let this request be tried again."""
    st.session_state[_PROBLEMS].pop(asked, None)
