"""The same pixels under three questions, and what each answer says of one place."""

from typing import Final

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from segdemo import overlay, places, words
from segdemo.labels import CAMVID, VOID
from segdemo.models import catalog
from segdemo.palettes import colorblind
from segdemo.places import Here
from segdemo.prediction import Prediction
from segdemo.ui import about, cache, runs, state, text
from segdemo.ui.cache import Run
from segdemo.ui.learn import pointing
from segdemo.ui.learn.pointing import Pane
from segdemo.ui.pictures import Picture

QUESTIONS: Final = {
    "starter/segformer": ("Semantic", "Which class is each pixel?"),
    "starter/maskrcnn": ("Instance", "Which things are there?"),
    "starter/mask2former": ("Panoptic", "Both at once, please?"),
}
_OPACITY: Final = 0.6
Answers = tuple[Prediction, Prediction, Prediction]  # semantic, instance, panoptic
_COLORS: Final = 7  # that objects have in turn


def answers(picture: Picture) -> Answers | None:
    """The three answers, in the order of `QUESTIONS`; None where one failed, which is told on the page."""
    if picture.seed is not None and _wants_truth():
        scene = cache.scene(picture.seed)
        return places.true_answers(scene.labels, scene.instances, scene.instance_classes, CAMVID)
    specs = [catalog.find(key) for key in QUESTIONS]
    waiting = st.empty()
    outcomes = runs.answers(specs, picture, lambda: _places(waiting))
    waiting.empty()
    for (kind, _), outcome in zip(QUESTIONS.values(), outcomes, strict=True):
        if isinstance(outcome, runs.Failure):
            st.markdown(f"**{kind}**")
            outcome.show()
    if not all(isinstance(outcome, Run) for outcome in outcomes):
        return None
    semantic, instance, panoptic = (outcome.prediction for outcome in outcomes if isinstance(outcome, Run))
    return semantic, instance, panoptic


def _places(waiting: DeltaGenerator) -> list[DeltaGenerator]:
    """In an empty element, a place for each answer where it will stand."""
    made = []
    with waiting.container(), st.grid(len(QUESTIONS), min_column_width=240):
        for kind, question in QUESTIONS.values():
            with st.container(gap="xsmall"):
                st.markdown(f"**{kind}** :small[{question}]")
                made.append(st.empty())
    return made


def _wants_truth() -> bool:
    choices = ("What three networks say", "What is right")
    chosen = st.segmented_control(
        "Answers", choices, default=choices[0], required=True, key=state.LEARN_ANSWERS, persist_state="session",
        label_visibility="collapsed",
    )  # fmt: skip
    return chosen == choices[1]


def show(picture: Picture, answered: Answers) -> None:
    """The three pictures with one cross, and what stands at it."""
    semantic, instance, panoptic = answered
    place = pointing.place(picture, lambda: places.telling(semantic.labels, instance))
    here = [places.look(one, place) for one in (semantic, instance, panoptic)]
    rgb = picture.image().rgb
    drawn = (
        overlay.blend(rgb, semantic.labels, semantic.space.palette(), _OPACITY),
        _objects(_faded(rgb), instance),
        _objects(overlay.blend(rgb, panoptic.labels, panoptic.space.palette(), _OPACITY), panoptic),
    )
    marks = (here[0].area, here[1].mask, here[2].mask if here[2].mask is not None else here[2].area)
    told = _semantic(here[0], semantic, instance), _instance(here[1], instance), _panoptic(here[2], panoptic)
    panes = [
        Pane(
            kind,
            question,
            overlay.encode_jpeg(_marked(one, mark)),
            f"The {kind.lower()} answer drawn over the picture",
            note,
        )
        for (kind, question), one, mark, note in zip(QUESTIONS.values(), drawn, marks, told, strict=True)
    ]
    st.markdown("Point at a place, best where two things touch: the white line shows what each answer takes it for.")
    pointing.show("learn:kinds", panes, picture, place)
    _legend(semantic, panoptic)


def compare(answered: Answers) -> None:
    """What can be asked of each kind, with the numbers of this picture."""
    semantic, instance, panoptic = answered
    thing, stuff = _largest(panoptic, things=True), _largest(panoptic, things=False)
    name = panoptic.space.classes
    rows = [
        (f"How much of the picture is {name[stuff]}?", _share(semantic, stuff), "cannot say", _share(panoptic, stuff)),
        (
            f"How much of it is {name[thing]}?",
            _share(semantic, thing),
            _share(instance, thing),
            _share(panoptic, thing),
        ),
        (
            f"How many of the class {name[thing]} are there?",
            "cannot say",
            _count(instance, thing),
            _count(panoptic, thing),
        ),
        ("Pixels without a class", _share(semantic, VOID), _share(instance, VOID), _share(panoptic, VOID)),
    ]
    st.subheader("What you can ask", anchor=False)
    table = pd.DataFrame(rows, columns=["on this picture", *(kind for kind, _ in QUESTIONS.values())])
    st.table(table.set_index("on this picture"))
    if _is_truth(answered):
        st.caption("These are the scene's own labels: the same truth, told in three ways.")
        return
    st.caption(
        "Three networks give three answers, which need not agree. An instance model names only things, and says how "
        "sure it is of each; its masks may overlap. Panoptic segments never do."
    )
    about.starter_note([catalog.find(key) for key in QUESTIONS])


def _is_truth(answered: Answers) -> bool:
    return answered[0].model == places.TRUTH


def _semantic(here: Here, semantic: Prediction, instance: Prediction) -> str:
    if here.class_id == VOID:
        return "nothing assigned here"
    pixels, name = np.count_nonzero(here.area), semantic.space.classes[here.class_id]
    told = f"{name}: one area of {pixels:,} pixels"
    inside = places.objects_in(here.area, instance)
    if here.class_id in semantic.space.things and inside > 1:
        return f"{told}. It holds {inside} things, and this answer cannot tell."
    return f"{told}, {words.percent(pixels / here.area.size)} of the picture"


def _instance(here: Here, instance: Prediction) -> str:
    if here.number == 0:
        return "no object here, so no answer: what is no thing stays open"
    return _object(here, instance)


def _panoptic(here: Here, panoptic: Prediction) -> str:
    if here.number:
        return _object(here, panoptic)
    if here.class_id == VOID:
        return "nothing assigned here: no segment was sure enough"
    share = words.percent(np.count_nonzero(panoptic.labels == here.class_id) / panoptic.labels.size)
    return f"{panoptic.space.classes[here.class_id]}: one segment, {share} of the picture, not counted"


def _object(here: Here, prediction: Prediction) -> str:
    segments = prediction.segments
    if segments is None:
        return ""
    class_id, score = int(segments.class_ids[here.number - 1]), float(segments.scores[here.number - 1])
    alike = np.flatnonzero(segments.class_ids == class_id).tolist()
    nth = alike.index(here.number - 1) + 1
    sure = f", {score:.0%} sure" if score < 1 else ""
    return f"{prediction.space.classes[class_id]} {nth} of {len(alike)}{sure}"


def _objects(rgb: np.ndarray, prediction: Prediction) -> np.ndarray:
    """Each object in a colour of its own over a picture, with a rim."""
    numbers = overlay.object_numbers(prediction)
    if numbers is None:
        return rgb
    largest_first = np.argsort(-np.bincount(numbers.ravel())[1:])
    color_of = np.full(numbers.max() + 1, VOID, np.uint8)
    color_of[largest_first + 1] = np.arange(len(largest_first)) % _COLORS
    palette = np.zeros((256, 3), np.uint8)
    palette[:_COLORS] = colorblind()[:_COLORS]
    return overlay.blend(rgb, color_of[numbers], palette, 0.75, outlines=1)


def _faded(rgb: np.ndarray) -> np.ndarray:
    """The picture in grey and half as strong, for what has no answer."""
    grey = rgb.mean(axis=2, keepdims=True) * 0.5 + 96
    return np.repeat(grey.astype(np.uint8), 3, axis=2)


def _marked(rgb: np.ndarray, mark: np.ndarray | None) -> np.ndarray:
    """A white line with a dark rim around what is marked."""
    if mark is None:
        return rgb
    ids = mark.astype(np.uint8)
    width = max(1, round(max(mark.shape) / 400))
    drawn = rgb.copy()
    drawn[overlay.boundaries(ids, 2 * width)] = (16, 20, 22)
    drawn[overlay.boundaries(ids, width)] = (255, 255, 255)
    return drawn


def _legend(*predictions: Prediction) -> None:
    space = predictions[0].space
    present = np.zeros(256, np.int64)
    for prediction in predictions:
        present += np.bincount(prediction.labels.ravel(), minlength=256)
    ids = np.argsort(-present[: len(space.classes)])
    names = [text.keyed(space.colors[i], space.classes[i]) for i in ids if present[i]]
    st.markdown("&ensp; ".join(names))
    st.caption("Classes have these colours; single objects have colours of their own.")


def _largest(prediction: Prediction, things: bool) -> int:
    """The class with the most pixels among those that are things, or are not."""
    counts = np.bincount(prediction.labels.ravel(), minlength=256)[: len(prediction.space.classes)]
    wanted = [(i in prediction.space.things) == things for i in range(counts.size)]
    return int(np.where(wanted, counts, -1).argmax())


def _share(prediction: Prediction, class_id: int) -> str:
    return words.percent(np.count_nonzero(prediction.labels == class_id) / prediction.labels.size)


def _count(prediction: Prediction, class_id: int) -> str:
    return "0" if prediction.segments is None else str(np.count_nonzero(prediction.segments.class_ids == class_id))
