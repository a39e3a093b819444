"""Models scored on labelled pictures, and which of their differences are more than luck."""

import streamlit as st

from segdemo.ui import evaluation, score_views, scored_pictures, state

st.header("Evaluate", anchor=False)
st.caption("Score models on labelled pictures: by class, by picture, and with the doubt that few pictures leave.")
dataset = evaluation.choose_dataset()
if dataset is None:
    st.stop()
evaluation.run(state.chosen_models(), dataset)
runs = evaluation.choose_runs(dataset)
if not runs:
    st.info("Nothing is scored on these pictures yet. Choose models in the sidebar and press Evaluate.")
    st.stop()
convention, without = score_views.choose_convention(runs)
score_views.models(runs, convention, without)
score_views.classes(runs)
score_views.downloads(runs, convention)
run = score_views.choose_run(runs)
cell = score_views.details(run)
scored_pictures.show(run, dataset, cell)
