"""One picture, two to six models side by side."""

from functools import partial

import streamlit as st

from segdemo import charts, tables
from segdemo.ui import about, agreements, filmstrip, frame, results, runs, scores, state, viewer, views
from segdemo.ui.cache import Run

picture, chosen = frame.shown_picture(), state.chosen_models()
frame.heading(picture)
if len(chosen) < 2:
    st.info("Choose two to six models in the sidebar to see them side by side.", icon=":material/arrow_back:")
    st.stop()

truth = scores.truth(picture)
panes = viewer.Viewer(picture, chosen, truth)
titles = dict(zip(chosen, tables.titles([spec.key for spec in chosen]), strict=True))
answered: list[Run] = []
failed: dict[str, runs.Failure] = {}
for spec in chosen:
    outcome = runs.answer(spec, picture, partial(panes.wait, spec))
    if isinstance(outcome, runs.Failure):
        failed[titles[spec]] = outcome
        panes.drop(spec)
    else:
        answered.append(outcome)
        panes.add(outcome)
panes.finish()
for title, failure in failed.items():
    st.markdown(f"**{title}**")
    failure.show()
if not answered:
    st.stop()

agreed = agreements.between(picture, answered)
filmstrip.remember(picture, chosen, agreements.mean(agreed))
filmstrip.show(picture, chosen)
about.starter_note(chosen)
results.differing_spaces(answered)
if len(answered) > 1:
    agreements.show(answered, agreed)
scored = [scores.against_labels(run.prediction, truth) for run in answered]
table = results.class_table(answered, scored)
st.subheader("Classes", anchor=False)
results.show_mean_ious(answered, scored)
results.show_classes(table)
results.downloads(answered, views.usual_looks(chosen), picture, table, agreements.report(answered, agreed))
st.subheader("Times", anchor=False)
milliseconds = tables.times_table([run.prediction for run in answered])
st.plotly_chart(charts.latency(milliseconds), config={"displayModeBar": False})
st.caption(results.times_caption(answered))
