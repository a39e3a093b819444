"""What a score hides: grids to paint on, and every convention's score."""

import streamlit as st

from segdemo.ui.learn import lesson, scores

with st.container(gap="xsmall"):
    st.header("What a score hides", anchor=False)
    st.markdown(
        "“Mean IoU” is a family of numbers. Paint on the grids and watch them part: every card scores the same pixels."
    )
example = scores.choose()
now, before = scores.paint(example)
scores.show(now, before)
lesson.link("pages/measure/evaluate.py", "Score models by any of these rules")
