"""The Benchmark page, driven as a person would, with fake models in place of networks."""

import json
from pathlib import Path

import pytest
from fakes import MISSING, FakeModels
from model_list import choose
from streamlit.testing.v1 import AppTest

from segdemo import benchmark
from segdemo.models import catalog
from segdemo.results import Results
from segdemo.ui import cache, state

ROOT = Path(__file__).parents[1]
FIRST, SECOND = state.FIRST_MODELS


@pytest.fixture
def models(monkeypatch, tmp_path):
    monkeypatch.setenv("SEGDEMO_RESULTS", str(tmp_path / "results.sqlite"))
    monkeypatch.setattr(cache, "REFERENCE", tmp_path)
    for kept in (cache.model, cache.run, cache.results, cache.benchmark, cache.reference_benchmarks):
        kept.clear()
    fakes = FakeModels()
    monkeypatch.setattr("segdemo.models.load", fakes.load)
    yield fakes
    cache.results.clear()


def opened():
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120).run()
    app.switch_page("screens/measure/benchmark.py").run()
    assert not app.exception
    return app


def button(app, start):
    return next(b for b in app.main.button if b.label.startswith(start))


def timed(app):
    button(app, "Time").click().run()
    if (running := app.session_state[state.BENCHMARK]) is not None:
        assert running.ended.wait(120)
        app.run()
    assert not app.exception
    return app


def numbers(app):
    return next(frame.value for frame in app.dataframe if "GMACs" in frame.value)


def charts(app):
    return [json.loads(chart.proto.spec)["data"][0] for chart in app.get("plotly_chart")]


def test_an_empty_page_says_what_to_do(models):
    app = opened()
    assert "Nothing is timed yet" in app.info[0].value
    assert button(app, "Time").label == "Time 2 models, 2 cases"


def test_a_run_is_shown_and_kept(models):
    app = timed(opened())
    table = numbers(app)
    assert sorted(table["model"]) == sorted(catalog.find(key).title for key in (FIRST, SECOND))
    assert set(table["size"]) == {"512 × 512"}
    assert charts(app)[0]["type"] == "bar"
    [record] = Results().benchmarks().values()
    assert len(benchmark.parse(record).measurements) == 2
    assert app.selectbox(key=state.BENCHMARK_SHOWN).value == "run 1"


def test_sizes_and_batches_have_their_charts_and_two_runs_stand_beside_each_other(models):
    app = opened()
    app.segmented_control(key=state.BENCHMARK_SIZES).set_value([256, 512])
    app.segmented_control(key=state.BENCHMARK_BATCHES).set_value([1, 4])
    app.segmented_control(key=state.BENCHMARK_ROUNDS).set_value(6).run()
    app = timed(app)
    assert len(numbers(app)) == 8
    assert sum(chart["type"] == "scatter" for chart in charts(app)) == 3  # with accuracy over time
    app = timed(app)
    beside = next(frame.value for frame in app.dataframe if "verdict" in frame.value)
    assert len(beside) == 8
    assert set(beside["verdict"]) <= {"may be noise", "more than noise"}


def test_a_stopped_run_leaves_nothing(models, monkeypatch):
    def endless(*_, **__):
        while True:
            yield benchmark.Progress(1, 100, "Timing FCN starter", 20.0)

    monkeypatch.setattr(benchmark, "run", endless)
    app = opened()
    button(app, "Time").click().run()
    running = app.session_state[state.BENCHMARK]
    assert running.describe() in ("Starting", "Timing FCN starter: about 20 s left")
    button(app, "Stop timing").click().run()
    assert running.ended.wait(20)
    app.run()
    assert button(app, "Time")
    assert Results().benchmarks() == {}


def test_a_failing_model_is_named_and_the_other_timed(models):
    models.failing[FIRST] = MISSING
    app = timed(opened())
    assert FIRST in app.error[0].value
    assert list(numbers(app)["model"]) == [catalog.find(SECOND).title]


def test_networks_are_timed_in_several_ways_and_published_speeds_stand_below(models):
    app = choose(opened(), "torchvision/deeplabv3_resnet50")
    app.segmented_control(key=state.BENCHMARK_WAYS).set_value(["default", "contiguous"]).run()
    app = timed(app)
    title = catalog.find("torchvision/deeplabv3_resnet50").title
    assert sorted(numbers(app)["model"]) == [f"{title}, untrained", f"{title}, untrained, contiguous"]
    published = next(frame.value for frame in app.dataframe if "measured how" in frame.value)
    assert published["pictures per s"].tolist() == [14.8]


def test_a_model_whose_weights_are_not_here_is_timed_without_them(models):
    app = timed(choose(opened(), "torchvision/fcn_resnet101"))
    assert numbers(app)["model"].tolist() == [f"{catalog.find('torchvision/fcn_resnet101').title}, untrained"]


def test_a_reference_comes_with_segdemo_and_a_damaged_file_gets_its_sentence(models, tmp_path):
    app = timed(opened())
    [record] = Results().benchmarks().values()
    (tmp_path / "a machine.json").write_text(record)
    (tmp_path / "broken.json").write_text("{")
    cache.reference_benchmarks.clear()
    app.run()
    assert "not a benchmark" in app.error[0].value
    assert app.selectbox(key=state.BENCHMARK_SHOWN).options[-1].endswith("(comes with segdemo)")


def test_extras_are_timed_beside_the_plain_run(models):
    app = opened()
    app.session_state[state.TTA] = "flip"
    app.run()
    assert button(app, "Time").label == "Time 2 models, 3 cases"  # the other model gives segments
    app.segmented_control(key=state.BENCHMARK_SIZES).set_value([256]).run()
    table = numbers(timed(app))
    assert f"{catalog.find(FIRST).title}, flip" in set(table["model"])
