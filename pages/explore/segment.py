"""One picture, one model: what it sees, and the numbers."""

import streamlit as st

from segdemo.ui import about, frame, results, runs, scores, state, viewer, views

picture, chosen = frame.shown_picture(), state.chosen_models()
frame.heading(picture)
if not chosen:
    st.info("Choose a model in the sidebar to see what it finds in this picture.", icon=":material/arrow_back:")
    st.stop()

spec = frame.choose_one(chosen)
waiting = st.empty()
[(_, _, run)] = runs.answers([spec], picture, lambda: [waiting])
waiting.empty()
if isinstance(run, runs.Failure):
    run.show()
    st.stop()

truth = scores.truth(picture)
viewer.show(picture, [run], truth)
score = scores.against_labels(run.prediction, truth)
results.show_metrics(run, score)
about.starter_note([spec])

table = results.class_table([run], [score])
classes, objects, times, model = st.tabs(["Classes", "Objects", "Times", "About the model"])
with classes:
    results.show_classes(table)
with objects:
    results.objects(run)
with times:
    results.stage_times(run)
with model:
    about.show(spec)
results.downloads([run], views.usual_looks([spec]), picture, table, more=[])
