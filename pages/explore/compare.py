"""One picture, two to six models side by side."""

import streamlit as st

from segdemo import charts, overlay, tables
from segdemo.ui import about, frame, results, runs, scores, state, views

picture, chosen = frame.shown_picture(), state.chosen_models()
frame.heading(picture)
if len(chosen) < 2:
    st.info("Choose two to six models in the sidebar to see them side by side.", icon=":material/arrow_back:")
    st.stop()

controls, legend = st.container(horizontal=True, vertical_alignment="center"), st.container()
palettes = views.palettes(spec.space for spec in chosen)
answered, looks, shown = [], [], []
for spec, place, run in runs.answers(chosen, picture, views.grid(picture, chosen)):
    look = views.look(spec.space, palettes[spec.space.name])
    rows = overlay.legend(run.prediction, look.palette)
    views.show(place, views.draw(run, picture, look), rows)
    shown += [(spec.space, row) for row in rows]
    answered.append(run)
    looks.append(look)
with controls:
    views.controls(with_objects=any(run.prediction.segments is not None for run in answered))
with legend:
    views.legend_of_all(shown)
if not answered:
    st.stop()

about.starter_note(chosen)
results.differing_spaces(answered)
scored = [scores.against_labels(run.prediction, picture) for run in answered]
table = results.class_table(answered, scored)
st.subheader("Classes", anchor=False)
results.show_mean_ious(answered, scored)
results.show_classes(table)
results.downloads(answered, looks, picture, table)
st.subheader("Times", anchor=False)
milliseconds = tables.times_table([run.prediction for run in answered])
st.plotly_chart(charts.latency(milliseconds, results.times_title(answered)), config={"displayModeBar": False})
st.caption(results.times_caption(answered))
