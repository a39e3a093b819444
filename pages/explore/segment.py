"""One picture, one model: the overlay, its legend, and the numbers."""

import streamlit as st

from segdemo import overlay
from segdemo.ui import about, frame, results, runs, scores, state, views

picture, chosen = frame.shown_picture(), state.chosen_models()
frame.heading(picture)
if not chosen:
    st.info("Choose a model in the sidebar to see what it finds in this picture.", icon=":material/arrow_back:")
    st.stop()

spec = frame.choose_one(chosen)
left, right = st.columns([7, 3], gap="medium")
[(_, place, answer)] = runs.answers([spec], picture, lambda: [left.empty()])
if place:
    place.empty()
if isinstance(answer, runs.Failure):
    with left:
        answer.show()
    st.stop()

run = answer
space = run.prediction.space
palette = views.palettes([space], st.session_state[state.SAFE_COLORS])[space.name]
look = views.look(space, palette)
rows = overlay.legend(run.prediction, palette)
score = scores.against_labels(run.prediction, picture)
with right:
    views.controls(with_objects=run.prediction.segments is not None)
    views.legend(space, rows)
views.show(left, views.draw(run, picture, look), rows)
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
results.downloads([run], [look], picture, table)
