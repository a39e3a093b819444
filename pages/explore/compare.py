"""One picture, two to six models side by side."""

import streamlit as st

from segdemo import charts, tables
from segdemo.ui import about, agreements, filmstrip, frame, results, runs, scores, state, viewer, views

picture, chosen = frame.shown_picture(), state.chosen_models()
frame.heading(picture)
if len(chosen) < 2:
    st.info("Choose two to six models in the sidebar to see them side by side.", icon=":material/arrow_back:")
    st.stop()

waiting = st.empty()
looks = views.usual_looks(chosen)
titles = dict(zip(looks, tables.titles(list(looks)), strict=True))
answered = []
failed: dict[str, runs.Failure] = {}
for spec, place, outcome in runs.answers(chosen, picture, lambda: views.grid(waiting, picture, chosen)):
    if isinstance(outcome, runs.Failure):
        failed[titles[spec.key]] = outcome
        continue
    answered.append(outcome)
    if place and spec != chosen[-1]:  # after the last comes the viewer
        views.preview(place, outcome, picture, looks[spec.key])
waiting.empty()
truth = scores.truth(picture)
if answered:
    viewer.show(picture, answered, truth)
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
results.downloads(answered, looks, picture, table, agreements.report(answered, agreed))
st.subheader("Times", anchor=False)
milliseconds = tables.times_table([run.prediction for run in answered])
st.plotly_chart(charts.latency(milliseconds), config={"displayModeBar": False})
st.caption(results.times_caption(answered))
