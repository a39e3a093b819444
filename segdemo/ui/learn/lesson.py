"""What all Learn pages share: the heading, and the picture at a size that answers at once."""

from dataclasses import dataclass
from typing import Final

import streamlit as st

from segdemo.images import InputImage
from segdemo.ui import cache, frame, text
from segdemo.ui.pictures import Picture

MOST_SIDE: Final = 960  # pixels


@dataclass(frozen=True)
class _Shrunk(Picture):
    """A picture with no side longer than `MOST_SIDE`."""

    def image(self) -> InputImage:
        return cache.shrunk(self.id, MOST_SIDE, super().image)


def begin(title: str, lead: str) -> Picture:
    """The page's heading; returns the picture that the person looks at, shrunk where it is large."""
    shown = frame.shown_picture()
    height, width = shown.image().size_hw
    picture = shown
    if max(height, width) > MOST_SIDE:
        picture = _Shrunk(f"{shown.id}-{MOST_SIDE}", shown.name, shown.data)
    with st.container(gap="xsmall"):
        st.header(title, anchor=False)
        st.markdown(lead)
        st.caption(f"{_described(picture, (height, width))} Choose or upload another in the sidebar.")
    return picture


def _described(picture: Picture, size_hw: tuple[int, int]) -> str:
    name = text.plain(text.short(picture.name))
    small_hw = picture.image().size_hw
    if small_hw != size_hw:
        return f"Shown on {name}, shrunk for this page to {small_hw[1]} × {small_hw[0]} pixels."
    return f"Shown on {name}, {size_hw[1]} × {size_hw[0]} pixels."
