"""How answers are drawn outside the viewer, on pages and in files: with the colours that it has, too."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from segdemo import overlay, words
from segdemo.labels import VOID, LabelSpace
from segdemo.models.spec import ModelSpec
from segdemo.overlay import Look
from segdemo.palettes import Color, colorblind
from segdemo.ui.cache import Run
from segdemo.ui.pictures import Picture

_PREVIEW_SIDE: Final = 640  # pixels


def background() -> str:
    """The page's colour, for charts: it depends on the person's theme."""
    theme = st.context.theme.type or "light"
    return str(st.get_option(f"theme.{theme}.backgroundColor") or "#ffffff")


def ink() -> str:
    """The page's text colour, for drawings: it depends on the person's theme."""
    theme = st.context.theme.type or "light"
    return str(st.get_option(f"theme.{theme}.textColor") or "#000000")


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


def usual_looks(specs: Sequence[ModelSpec]) -> dict[str, Look]:
    """By the model's key, how its answer is drawn outside the viewer."""
    tables = palettes([spec.space for spec in specs], safe=False)
    return {spec.key: replace(overlay.usual_look(spec.space), palette=tables[spec.space.name]) for spec in specs}


def preview(place: DeltaGenerator, run: Run, picture: Picture, look: Look) -> None:
    """Put an answer in its place, with what it shows in words."""
    rows = [row for row in overlay.legend(run.prediction)[:6] if row.class_id != VOID]
    found = ", ".join(f"{row.name} {words.percent(row.share)}" for row in rows)
    drawn = overlay.encode_jpeg(overlay.draw_fitted(picture.image().rgb, run.prediction, look, _PREVIEW_SIDE))
    place.image(drawn, width="stretch", alt=f"The picture with its classes drawn over it: {found}")
