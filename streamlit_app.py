"""The app's entry: the list of pages, and the frame around them. Start it with `streamlit run streamlit_app.py`."""

import streamlit as st

from segdemo.ui import frame, garbage, problems, state

st.set_page_config(
    page_title="segdemo",
    page_icon=frame.ICON,
    layout="wide",
    menu_items={"About": "**segdemo** shows what segmentation models of many families see in your own pictures."},
)
page = st.navigation(
    {
        "": [
            st.Page("screens/explore/segment.py", title="Segment", icon=":material/image:", default=True),
            st.Page("screens/explore/compare.py", title="Compare", icon=":material/view_column_2:"),
            st.Page("screens/measure/evaluate.py", title="Evaluate", icon=":material/grading:"),
            st.Page("screens/measure/benchmark.py", title="Benchmark", icon=":material/timer:"),
        ],
        "Learn": [
            st.Page("screens/learn/kinds.py", title="Three kinds of segmentation", icon=":material/category:"),
            st.Page("screens/learn/story.py", title="From FCN to transformers", icon=":material/timeline:"),
            st.Page("screens/learn/pixels.py", title="From pixels to a prediction", icon=":material/grid_on:"),
            st.Page("screens/learn/scores.py", title="What a score hides", icon=":material/visibility_off:"),
            st.Page("screens/learn/uses.py", title="Where it is used", icon=":material/public:"),
        ],
    },
    position="top",
)
state.begin()
with problems.shown():
    below = frame.draw()
try:
    with problems.shown():
        page.run()
finally:
    # After the page: naming the devices waits for torch, and the page already shows what it can without it.
    with problems.shown():
        frame.draw_devices(below)
garbage.spare_libraries()
