"""How answers are drawn: the controls, the legend with its ticks, and the overlay that follows them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from segdemo import overlay, tables
from segdemo.labels import VOID, LabelSpace
from segdemo.models.catalog import ModelSpec
from segdemo.overlay import LegendRow, Look
from segdemo.palettes import Color, colorblind
from segdemo.ui import cache, state, text
from segdemo.ui.cache import Run
from segdemo.ui.pictures import Picture


def controls(with_objects: bool) -> None:
    """Opacity, outlines and palette; the same on every page and kept between pages."""
    st.slider("Opacity", 0, 100, step=5, format="%d %%", key=state.OPACITY, persist_state="session")
    st.toggle("Outlines", key=state.OUTLINES, persist_state="session", help="A line around every region.")
    if with_objects:
        st.toggle(
            "Objects",
            key=state.OBJECTS,
            persist_state="session",
            help="A light line around every single car, person or other thing, where the model tells them apart.",
        )
    st.toggle(
        "Colour-blind safe",
        key=state.SAFE_COLORS,
        persist_state="session",
        help="Colours that people without red or green cones tell apart, in place of the data set's own.",
    )


def palettes(spaces: Iterable[LabelSpace], safe: bool) -> dict[str, np.ndarray]:
    """By the space's name, (256, 3) uint8: a class has one colour in all spaces, and no two classes share one.

    safe: in colours that the colour-blind tell apart.
    """
    colors: dict[str, Color] = {}
    tables = {}
    for space in spaces:
        own = space.palette("colorblind" if safe else "dataset")
        taken = set(colors.values())
        spare = (c for c in map(tuple, colorblind().tolist()) if c not in taken)
        for class_id, name in enumerate(space.classes):
            color = tuple(own[class_id].tolist())
            if name not in colors:
                colors[name] = next(spare, color) if color in taken else color
            own[class_id] = colors[name]
        tables[space.name] = own
    return tables


def grid(waiting: DeltaGenerator, picture: Picture, specs: Sequence[ModelSpec]) -> list[DeltaGenerator]:
    """In an empty element, the picture and an empty element for each model's answer, all of one size."""
    columns = 2 if len(specs) == 3 else 3
    places = []
    with waiting.container(), st.grid(columns, min_column_width=260):
        with st.container(gap="xsmall"):
            st.markdown("**Picture**")
            st.image(cache.screen(picture.id, picture.image), width="stretch", alt=picture.name)
            st.caption("as it came in")
        for spec, title in zip(specs, tables.titles([spec.key for spec in specs]), strict=True):
            with st.container(gap="xsmall"):
                st.markdown(f"**{title}**")
                places.append(st.empty())
                st.caption(text.knows(spec))
    return places


def tick_key(space: LabelSpace, name: str) -> str:
    """The state's key of a class's tick, set to its default: all classes are drawn but the background."""
    key = state.class_key(name)
    is_background = space.background is not None and space.classes[space.background] == name
    st.session_state.setdefault(key, not is_background)
    return key


def visible(space: LabelSpace) -> frozenset[int]:
    """The ids of the classes that are ticked."""
    return frozenset(i for i, name in enumerate(space.classes) if st.session_state[tick_key(space, name)])


def legend(space: LabelSpace, rows: Sequence[LegendRow]) -> None:
    """Ticks for the classes of one answer, with their share of the picture."""
    with st.container(gap="xxsmall"):
        for row in rows:
            share = f":gray[{text.percent(row.share)}]"
            if row.class_id == VOID:
                st.caption(f"{text.percent(row.share)} of the picture has no class")
            else:
                st.checkbox(
                    f"{text.swatch(row.color)} {text.plain(row.name)} {share}",
                    key=tick_key(space, row.name),
                    persist_state="session",
                )


def usual_look(space: LabelSpace, palette: np.ndarray) -> Look:
    """How an answer is drawn where nobody has said otherwise."""
    return replace(overlay.usual_look(space), palette=palette)


def look(space: LabelSpace, palette: np.ndarray) -> Look:
    """How the person wants answers drawn."""
    return Look(
        palette,
        visible(space),
        opacity=st.session_state[state.OPACITY] / 100,
        outlines=st.session_state[state.OUTLINES],
        objects=space.things if st.session_state[state.OBJECTS] else frozenset(),
    )


def draw(run: Run, picture: Picture, look: Look) -> bytes:
    """The picture under an answer at the size of the screen, as a JPEG file."""
    prediction = run.prediction
    rgb, labels, segments = cache.small(
        picture.id, prediction.model, run.device, run.precision, picture.image().rgb, prediction
    )
    return overlay.encode_jpeg(overlay.draw(rgb, labels, segments, look))


def show(place: DeltaGenerator, overlay_jpeg: bytes, rows: Sequence[LegendRow]) -> None:
    """Put an overlay in its place, with what it shows in words for people who do not see it."""
    found = ", ".join(f"{row.name} {text.percent(row.share)}" for row in rows[:6] if row.class_id != VOID)
    place.image(overlay_jpeg, width="stretch", alt=f"The picture with its classes drawn over it: {found}")
