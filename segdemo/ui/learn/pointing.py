"""Pictures of one size that share a cross: a click, a tap or the arrow keys move it in all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import streamlit as st

from segdemo.ui import media, state
from segdemo.ui.pictures import Picture

_HERE: Final = Path(__file__).parent

_component = st.components.v2.component(
    "segdemo_pointing",
    html='<div class="pointing"></div>',
    css=(_HERE / "pointing.css").read_text(encoding="utf-8"),
    js=(_HERE / "pointing.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Pane:
    """One of the pictures. jpeg: its file. alt: what it shows, for those who do not see it. note: words below it."""

    title: str
    subtitle: str
    jpeg: bytes
    alt: str
    note: str = ""


def place(picture: Picture, default: Callable[[], tuple[int, int]]) -> tuple[int, int]:
    """The pixel (row, column) that the person has pointed at in this picture, on any page; else the default."""
    height, width = picture.image().size_hw
    pointed = state.place(picture.id)
    if pointed is None:
        return default()
    across, down = pointed
    return min(int(down * height), height - 1), min(int(across * width), width - 1)


def show(key: str, panes: Sequence[Pane], picture: Picture, place_yx: tuple[int, int]) -> None:
    """Draw the panes with the cross at a place. Where it is moved, the page runs again; `place` then tells where to."""
    height, width = picture.image().size_hw
    data = {
        "panes": [
            {
                "title": p.title,
                "subtitle": p.subtitle,
                "alt": p.alt,
                "note": p.note,
                "url": media.url(p.jpeg, "image/jpeg", f"{key} {i}"),
            }
            for i, p in enumerate(panes)
        ],
        "width": width,
        "height": height,
        "at": [(place_yx[1] + 0.5) / width, (place_yx[0] + 0.5) / height],
    }
    _component(key=key, data=data, on_at_change=partial(_moved, key, picture.id))


def _moved(key: str, picture_id: str) -> None:
    at = st.session_state[key].get("at")
    if isinstance(at, list) and len(at) == 2 and all(isinstance(v, int | float) and 0 <= v <= 1 for v in at):
        state.keep_place(picture_id, *at)
