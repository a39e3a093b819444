"""Semantic, instance and panoptic segmentation on one picture."""

import streamlit as st

from segdemo.ui.learn import kinds, lesson, links

picture = lesson.begin(
    "Three kinds of segmentation",
    "The same pixels, asked three questions. **Semantic** segmentation gives every pixel a class. **Instance** "
    "segmentation finds things and keeps them apart. **Panoptic** segmentation does both at once.",
)
answered = kinds.answers(picture)
if answered is None:
    st.stop()
kinds.show(picture, answered)
kinds.compare(answered)
links.show(links.STORY, "How networks learned to answer them")
