"""One picture, one model: what it sees, and the numbers."""

from functools import partial

import streamlit as st

from segdemo.ui import about, frame, results, runs, scores, state, viewer, views

picture, chosen = frame.shown_picture(), state.chosen_models()
frame.heading(picture)
if not chosen:
    st.info("Choose a model in the sidebar to see what it finds in this picture.", icon=":material/arrow_back:")
    st.stop()

spec = frame.choose_one(chosen)
truth = scores.truth(picture)
panes = viewer.Viewer(picture, [spec], truth)
run = runs.answer(spec, picture, partial(panes.wait, spec))
if isinstance(run, runs.Failure):
    panes.drop(spec)
    panes.finish()
    run.show()
    st.stop()

panes.add(run)
panes.finish()
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
