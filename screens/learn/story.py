"""How the architectures came about, and what one pixel of each looks at."""

import streamlit as st

from segdemo.ui import about
from segdemo.ui.learn import fields, lesson, story

picture = lesson.begin(
    "From FCN to transformers",
    "Each architecture answers a complaint about those before it. Follow the line of years: what was wrong, what "
    "changed, and what a small network of the kind makes of your picture.",
)
family = story.choose()
story.show(family, picture)

st.subheader("What one pixel looks at", anchor=False)
st.markdown(
    "Point at a place. The heat shows which pixels of the picture move the answer there: the gradient of that one "
    "score on the input, the [effective receptive field](https://arxiv.org/abs/1701.04128). Dilated kernels leave "
    "spots far out; attention sends a thin share across the whole picture: hold the ring against the 95 %."
)
specs = fields.choose()
if not specs:
    st.info("Choose an architecture to see what it looks at.")
    st.stop()
fields.show(specs, picture)
st.caption(
    "The ring holds half of the gradient. Colours are added up without sign and smoothed a little; each map has its "
    "own scale. It is of this picture and this place: another place, another field."
)
about.starter_note(specs)
