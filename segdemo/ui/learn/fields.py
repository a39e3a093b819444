"""What one pixel of each model's answer looks at, as heat maps over the picture."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import streamlit as st
from PIL import Image, ImageDraw
from scipy import ndimage
from streamlit.delta_generator import DeltaGenerator

from segdemo import overlay
from segdemo.models import catalog
from segdemo.models.receptive_field import reach
from segdemo.models.spec import ModelSpec
from segdemo.ui import cache, jobs, problems, runs, state
from segdemo.ui.learn import pointing, story
from segdemo.ui.learn.pointing import Pane
from segdemo.ui.pictures import Picture

_FIRST: Final = ("starter/fcn", "starter/deeplabv3", "starter/segformer")
_MOST: Final = 6
_SHARES: Final = (0.5, 0.95)
# From nothing over teal to bright yellow: dark to light, so that it reads without colour too.
_COLORS: Final = np.array([(10, 16, 24), (12, 62, 78), (20, 122, 116), (106, 178, 92), (250, 230, 92)], np.float32)


def choose() -> list[ModelSpec]:
    """Which models are held against each other; those that say something of every pixel."""
    offered = [s.key for s in catalog.CATALOG if s.source == "starter" and s.task != "instance"]
    first = [key for key in _FIRST if key in offered]
    kept = st.session_state.get(state.LEARN_FIELDS)
    keys = st.pills(
        "Architectures",
        offered,
        default=None if kept is not None else first,
        selection_mode="multi",
        key=state.LEARN_FIELDS,
        persist_state="session",
        format_func=lambda key: story.short_title(catalog.find(key)),
        label_visibility="collapsed",
    )
    if len(keys) > _MOST:
        st.caption(f"The first {_MOST} of them are shown.")
    return [catalog.find(key) for key in keys[:_MOST]]


def show(specs: Sequence[ModelSpec], picture: Picture) -> None:
    """One heat map for each model, for the place under the cross."""
    height, width = picture.image().size_hw
    place = pointing.place(picture, lambda: (height * 5 // 8, width // 2))
    waiting = st.empty()
    panes = []
    for spec in specs:
        outcome = _field(spec, picture, place, waiting)
        if isinstance(outcome, runs.Failure):
            st.markdown(f"**{spec.title}**")
            outcome.show()
            continue
        half, most = (reach(outcome, place, share) for share in _SHARES)
        note = f"half of it within {half:.0f} pixels, 95 % within {most:.0f}"
        drawn = overlay.encode_jpeg(_drawn(picture.image().rgb, outcome, place, half))
        panes.append(Pane(story.short_title(spec), f"{spec.year}", drawn, f"{spec.title}: {note} of the place", note))
    waiting.empty()
    if panes:
        pointing.show("learn:fields", panes, picture, place)


def _field(
    spec: ModelSpec, picture: Picture, place: tuple[int, int], waiting: DeltaGenerator
) -> np.ndarray | runs.Failure:
    image, device, precision = picture.image(), state.device(), state.precision()
    asked = f"field {picture.id} {spec.key} {device} {precision} {place}"
    sentence = state.problem(asked)
    if sentence is None:
        try:
            return jobs.watch(
                lambda job: cache.receptive_field(picture.id, spec.key, device, precision, place, image, job),
                jobs.bar(lambda: waiting),
            )
        except Exception as error:  # noqa: BLE001 - one model's failure must leave the others standing
            sentence = problems.sentence(error)
            state.keep_problem(asked, sentence)
    return runs.Failure(sentence, asked)


def _drawn(rgb: np.ndarray, field: np.ndarray, place: tuple[int, int], radius: float) -> np.ndarray:
    """The picture in grey, lit where the field is strong, with a ring that holds half of it."""
    smooth = ndimage.gaussian_filter(field, max(field.shape) / 160)
    strength = (smooth / np.quantile(smooth, 0.996).clip(1e-12)).clip(0, 1) ** 0.4
    steps = strength[..., None] * (len(_COLORS) - 1)
    below = steps[..., 0].astype(np.intp).clip(max=len(_COLORS) - 2)
    color = _COLORS[below] + (_COLORS[below + 1] - _COLORS[below]) * (steps - below[..., None])
    grey = rgb.mean(axis=2, keepdims=True) * 0.55
    weight = (1.6 * strength[..., None]).clip(0, 0.92)
    picture = Image.fromarray((grey * (1 - weight) + color * weight + 0.5).astype(np.uint8))
    line = max(1, round(max(field.shape) / 400))
    y, x = place
    ImageDraw.Draw(picture).ellipse((x - radius, y - radius, x + radius, y + radius), outline="white", width=line)
    return np.asarray(picture)
