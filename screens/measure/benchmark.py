"""Models timed: by stage, in turns, with the noise shown."""

import streamlit as st

from segdemo.ui import benchmark_views, benchmarking, state

st.header("Benchmark", anchor=False)
st.caption("How long models take on this machine, stage by stage, and what is noise.")
benchmarking.run(state.chosen_models())
runs = benchmarking.runs()
if not runs:
    st.info("Nothing is timed yet. Choose models in the sidebar and press the button.")
    st.stop()
key = st.selectbox(
    "Run",
    list(runs),
    key=state.BENCHMARK_SHOWN,
    persist_state="session",
    format_func=lambda key: benchmarking.name(key, runs[key]),
)
report = runs[key]
case = benchmark_views.times(report)
if case is None:
    st.stop()
benchmark_views.numbers(report)
benchmark_views.scaling(report)
benchmark_views.accuracy(report, case, benchmark_views.evaluations(report))
benchmark_views.beside(report, {other: one for other, one in runs.items() if other != key})
benchmark_views.published(report)
benchmark_views.downloads(report)
