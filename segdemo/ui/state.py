"""Every key of the session's state: what a person has chosen. Identities only; models and results live in caches."""

from typing import Any, Final

import streamlit as st

from segdemo.extras import Extras, Refine
from segdemo.models import Precision, PrecisionChoice, catalog
from segdemo.models.spec import ModelSpec, Task

# Chosen on a first visit. A newcomer waits for the first one: torchvision loads in less time than transformers.
FIRST_MODELS: Final = ("starter/deeplabv3", "starter/mask2former")
MOST_MODELS: Final = 6
_MOST_AGREEMENTS: Final = 256

PICTURE: Final = "picture"  # id of the picture shown
UPLOADS: Final = "uploads"  # the uploader's files
SEEN: Final = "seen"  # ids of the uploads that were there when last looked
PHOTO: Final = "photo"  # the camera's picture
CAMERA: Final = "camera"  # bool: the camera is on
DEVICE: Final = "device"
PRECISION: Final = "precision"
TILE: Final = "tile"
TTA: Final = "tta"
CRF: Final = "crf"  # bool: refine with a dense CRF
SEGMENT_MODEL: Final = "segment_model"  # key of the model on the Segment page
SCENE_LABELS: Final = "scene_labels"  # bool: score against a scene's own labels
DATASET_KIND: Final = "dataset_kind"
DATASET_FILE: Final = "dataset_file"  # the uploader's zip archive
DATASET_NAME: Final = "dataset_name"  # of one in the folder of data sets
SCENE_COUNT: Final = "scene_count"
CONVENTION: Final = "convention"
WITHOUT_BACKGROUND: Final = "without_background"  # bool: leave it out of mean IoU
EVALUATION: Final = "evaluation"  # the one that is running
EVALUATION_PROBLEMS: Final = "evaluation_problems"  # sentences of the one that ended last
UNKNOWN_MODELS: Final = "unknown_models"  # keys in the link that this copy does not have
LINKED_PICTURE: Final = "linked_picture"  # the id in the link, until it has been looked for
ORDER: Final = "order"  # of the pictures below the viewer
_BEGUN: Final = "begun"  # keys of the models that are ticked to begin with
_MODELS: Final = "models"  # of a link
_AGREEMENTS: Final = "agreements"  # what was compared -> how far the models agree
BENCHMARK: Final = "benchmark"  # the one that is running
BENCHMARK_PROBLEM: Final = "benchmark_problem"  # why the last one has no result
BENCHMARK_SIZES: Final = "benchmark_sizes"
BENCHMARK_BATCHES: Final = "benchmark_batches"
BENCHMARK_ROUNDS: Final = "benchmark_rounds"
BENCHMARK_WAYS: Final = "benchmark_ways"
BENCHMARK_MEMORY: Final = "benchmark_memory"  # bool: on a CPU, too
BENCHMARK_SHOWN: Final = "benchmark_shown"  # which run is looked at
LEARN_ANSWERS: Final = "learn_answers"  # the models' or the right ones
LEARN_FAMILY: Final = "learn_family"  # which one the timeline shows
LEARN_FIELDS: Final = "learn_fields"  # keys of the models whose receptive fields are shown
LEARN_MODEL: Final = "learn_model"  # key of the model whose stages are shown
LEARN_CLASS: Final = "learn_class"  # whose logits are shown
LEARN_EXAMPLE: Final = "learn_example"  # title of the worked example
LEARN_DRAW: Final = "learn_draw"  # number of the random augmentations that are shown
LEARN_USE: Final = "learn_use"
_PAINTED: Final = "painted"  # worked example: the grids before the last stroke, and now
_PAINTING: Final = "painting"  # the grids that the page shows
_PLACES: Final = "places"  # picture id -> the place in it that is looked at
CHECKPOINT_ID: Final = "checkpoint_id"  # what the person typed
CHECKPOINT_NAME: Final = "checkpoint_name"  # of one in the folder of checkpoints
CHECKPOINT: Final = "checkpoint"  # the one that was looked at last
_OWN_MODELS: Final = "own_models"  # checkpoints that the person added, for they may be forgotten elsewhere
_LABEL_FILES: Final = "label_files"  # picture id -> (name, bytes) of its label image
_PROBLEMS: Final = "problems"  # what was asked of a model -> the sentence it failed with


def model_key(key: str) -> str:
    """The state's key of a model's tick."""
    return f"model:{key}"


def label_space_key(picture_id: str) -> str:
    """The state's key of what a picture's label image is read as: the name of a label space."""
    return f"label_space:{picture_id}"


def begin() -> None:
    """Defaults of a first visit, or what a link asks for; the person's own checkpoints can be found by their keys."""
    st.session_state.setdefault(_OWN_MODELS, [])
    for spec in own_models():
        catalog.register(spec)
    if _BEGUN not in st.session_state:
        st.session_state[_BEGUN] = _linked_models() or FIRST_MODELS
        if PICTURE in st.query_params:
            st.session_state[PICTURE] = st.session_state[LINKED_PICTURE] = st.query_params[PICTURE]
    empty: dict[str, object] = {SEEN: [], _LABEL_FILES: {}, _PROBLEMS: {}, _AGREEMENTS: {}, _PLACES: {}}
    for key, value in empty.items():
        st.session_state.setdefault(key, value)


def _linked_models() -> list[str]:
    """The models that the address names, as far as this copy has them; the viewer writes it (viewer/settings.js)."""
    named = [key for key in st.query_params.get(_MODELS, "").split(",") if key]
    found = {key: spec for key in named if (spec := catalog.known(key)) and spec.source != "local"}
    st.session_state[_OWN_MODELS] += [spec for spec in found.values() if not catalog.in_catalog(spec)]
    known = found.keys()
    unknown = [key for key in named if key not in known]
    if unknown:
        st.session_state[UNKNOWN_MODELS] = unknown
    return [key for key in named if key in known][:MOST_MODELS]


def ticked_first(key: str) -> bool:
    """Whether a model is ticked before the person has ticked anything.

    It is the tick's default rather than state that is set from here: the browser hears of a default with every run, of
    set state once, in a run that may be cut off before the browser has drawn it.
    """
    return key in st.session_state[_BEGUN]


def chosen_models() -> list[ModelSpec]:
    """The ticked models in the catalogue's order, the person's own after them."""
    listed = (*catalog.CATALOG, *own_models())
    return [spec for spec in listed if st.session_state.get(model_key(spec.key), ticked_first(spec.key))]


def own_models() -> list[ModelSpec]:
    """The checkpoints that the person added; none where only the catalogue may be used."""
    return [] if catalog.only_catalog() else st.session_state[_OWN_MODELS]


def add_model(spec: ModelSpec) -> None:
    """Put a checkpoint into the person's list, ticked where there is room."""
    if len(chosen_models()) < MOST_MODELS:
        st.session_state[_BEGUN] = (*st.session_state[_BEGUN], spec.key)
    st.session_state[_OWN_MODELS] = [*own_models(), spec]


def device() -> str:
    """The chosen device; "auto" is the fastest."""
    return st.session_state.get(DEVICE, "auto")


def precision() -> PrecisionChoice:
    """The chosen precision."""
    return st.session_state.get(PRECISION, "auto")


def measuring_precision() -> Precision:
    """The one that models are scored and timed in: the same for all of them unless the person chose another."""
    chosen = precision()
    return "fp32" if chosen == "auto" else chosen


def extras(task: Task) -> Extras:
    """The chosen extras, as far as a model of this task can have them."""
    refine: Refine = "crf" if st.session_state.get(CRF) else "none"
    return Extras(st.session_state.get(TILE), st.session_state.get(TTA) or "none", refine).of_task(task)


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


def agreement(asked: str) -> float | None:
    """How far models agree on a picture, mean IoU in [0, 1]; None where it is not known yet."""
    return st.session_state[_AGREEMENTS].get(asked)


def keep_agreement(asked: str, value: float) -> None:
    """Remember how far models agree on a picture. The oldest of many are forgotten."""
    kept = st.session_state[_AGREEMENTS]
    kept[asked] = value
    if len(kept) > _MOST_AGREEMENTS:
        del kept[next(iter(kept))]


def place(picture_id: str) -> tuple[float, float] | None:
    """The place in a picture that the person pointed at: across and down, both in [0, 1]."""
    return st.session_state[_PLACES].get(picture_id)


def keep_place(picture_id: str, across: float, down: float) -> None:
    """Remember the place that the person points at, for every page that asks."""
    st.session_state[_PLACES][picture_id] = (across, down)


def painted() -> tuple[Any, Any] | None:
    """The worked example's grids before the last stroke and now; None where nothing was painted."""
    return st.session_state.get(_PAINTED)


def keep_painted(before: Any, now: Any) -> None:
    """Keep what was painted on the worked example."""
    st.session_state[_PAINTED] = (before, now)


def forget_painted() -> None:
    """Begin the worked example again."""
    st.session_state.pop(_PAINTED, None)


def show_painted(grids: Any) -> None:
    """Remember which grids the page shows, to hold against what comes back."""
    st.session_state[_PAINTING] = grids


def shown_painting() -> Any:
    """The grids that the page shows."""
    return st.session_state.get(_PAINTING)
