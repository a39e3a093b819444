"""The pictures that belong together, in a strip: how far the models agree on each, and buttons that move on."""

import time
from collections.abc import Sequence
from typing import Final

import numpy as np
import streamlit as st

from segdemo import words
from segdemo.models.spec import ModelSpec
from segdemo.ui import agreements, frame, jobs, runs, state, text
from segdemo.ui.cache import Run
from segdemo.ui.pictures import Picture

_ORDERS: Final = ("As they came", "Least agreement first")


def remember(picture: Picture, specs: Sequence[ModelSpec], mean: float) -> None:
    """Keep how far the models agree on a picture, for the strip."""
    state.keep_agreement(_asked(picture, specs), mean)


def show(shown: Picture, specs: Sequence[ModelSpec]) -> None:
    """The strip, where there is more than one picture. Left and right keys move on."""
    pictures = frame.pictures()
    if len(pictures) < 2:
        return
    st.subheader("Pictures", anchor=False)
    known = {picture.id: state.agreement(_asked(picture, specs)) for picture in pictures}
    with st.container(horizontal=True, vertical_alignment="center"):
        order = st.segmented_control(
            "Order",
            _ORDERS,
            key=state.ORDER,
            default=_ORDERS[0],
            required=True,
            label_visibility="collapsed",
            persist_state="session",
        )
        if order == _ORDERS[1]:
            pictures.sort(key=lambda picture: _by_agreement(known[picture.id]))
        _moves(pictures, shown)
        waiting = [picture for picture in pictures if known[picture.id] is None]
        run_all = bool(waiting) and st.button(
            f"Run these models on the other {len(waiting)}", icon=":material/play_arrow:", type="secondary"
        )
    _strip(pictures, known, shown)
    if run_all:
        _run(waiting, specs)
        st.rerun()


def _asked(picture: Picture, specs: Sequence[ModelSpec]) -> str:
    models = (f"{spec.key} {state.extras(spec.task)}" for spec in specs)
    return " ".join([picture.id, state.device(), state.precision(), *models])


def _by_agreement(value: float | None) -> tuple[bool, float]:
    """The lowest first; what is not known, or cannot be compared, last."""
    unknown = value is None or np.isnan(value)
    return unknown, 0.0 if unknown or value is None else value


def _moves(pictures: Sequence[Picture], shown: Picture) -> None:
    at = [picture.id for picture in pictures].index(shown.id)
    for label, key, step in (("Previous", "Left", -1), ("Next", "Right", 1)):
        st.button(
            label,
            shortcut=key,
            on_click=frame.show,
            args=(pictures[(at + step) % len(pictures)].id,),
            help="The arrow keys left and right do the same, outside the viewer.",
        )


def _strip(pictures: Sequence[Picture], known: dict[str, float | None], shown: Picture) -> None:
    with st.grid(len(pictures), wrap=False, min_column_width=110, gap="small"):
        for picture in pictures:
            value = known[picture.id]
            with st.container(gap="xxsmall"):
                if isinstance(small := picture.thumbnail(), bytes):
                    st.image(small, width="stretch", alt=f"Small view of {picture.name}")
                st.button(
                    text.plain(text.short(picture.name, 16)),
                    key=f"film:{picture.id}",
                    type="primary" if picture == shown else "tertiary",
                    width="stretch",
                    wrap=False,
                    on_click=frame.show,
                    args=(picture.id,),
                )
                st.caption(_caption(value))


def _caption(value: float | None) -> str:
    if value is None:
        return "not run yet"
    return "nothing to compare" if np.isnan(value) else f"agreement {words.percent(value)}"


def _run(pictures: Sequence[Picture], specs: Sequence[ModelSpec]) -> None:
    """Run the models on the pictures; what is done is kept where the person goes away meanwhile."""
    bar, model, began_s = st.progress(0.0, "Starting"), st.empty(), time.monotonic()
    for i, picture in enumerate(pictures):
        left = f", about {words.wait((time.monotonic() - began_s) / i * (len(pictures) - i))} left" if i else ""
        bar.progress(i / len(pictures), f"{i} of {len(pictures)} pictures{left}")
        outcomes = [runs.answer(spec, picture, jobs.bar(lambda: model)) for spec in specs]
        answered = [outcome for outcome in outcomes if isinstance(outcome, Run)]
        remember(picture, specs, agreements.mean(agreements.between(picture, answered)))
