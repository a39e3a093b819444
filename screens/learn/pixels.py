"""From pixels to a prediction, with the arrays of every step."""

import streamlit as st

from segdemo.ui import about
from segdemo.ui.learn import lesson, pixels, pointing

picture = lesson.begin(
    "From pixels to a prediction",
    "Five steps, the real arrays of a real network, and one place that you can follow through all of them.",
)
spec = pixels.choose()
trace = pixels.traced(spec, picture)
if trace is None:
    st.stop()
place = pointing.place(picture, lambda: pixels.telling(trace))
pixels.bytes_in(picture, place)
pixels.prepared(trace, picture, place)
pixels.augmented(picture)
class_id = pixels.forward(trace, spec, picture, place)
pixels.upsampled(trace, spec, picture, place, class_id)
pixels.decided(trace, spec, picture, place)
pixels.too_early(trace, spec, picture, place)
about.starter_note([spec])
