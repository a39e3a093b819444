"""Timing, with models that take as long as they are told to."""

import json
import math
import sqlite3
import time

import numpy as np
import pytest
import torch
from fakes import FakeModel

from segdemo import benchmark, benchmark_cli, benchmark_memory, benchmark_tables, devices, models
from segdemo.__main__ import main
from segdemo.benchmark import Measurement, Report
from segdemo.benchmark_case import Case, decoded, picture_file
from segdemo.benchmark_case import load as load_case
from segdemo.errors import ModelError, SegdemoError
from segdemo.extras import Extras
from segdemo.models import catalog
from segdemo.models.from_transformers import QueriesModel
from segdemo.models.mask_queries import SETTLED, MaskQueries, settled
from segdemo.models.panoptic_contest import panoptic
from segdemo.published_times import PUBLISHED
from segdemo.results import Results

FCN, SEGFORMER = "starter/fcn", "starter/segformer"


class SlowModel(FakeModel):
    """Sleeps in one stage, and longer in none."""

    slow_stage, seconds, in_no_stage, calls = "forward", 0.05, 0.2, None

    def transfer(self, images):
        if self.calls is not None:
            self.calls.append(self.spec.key)
        return self._slept("transfer", images)

    def preprocess(self, pictures, scale=1, tile=None):
        return self._slept("preprocess", pictures)

    def forward(self, inputs):
        return self._slept("forward", inputs)

    def postprocess(self, outputs, size_hw):
        return self._slept("postprocess", super().postprocess(outputs, size_hw))

    def settle(self, outputs):
        time.sleep(self.in_no_stage)
        return outputs

    def _slept(self, stage, value):
        if stage == self.slow_stage:
            time.sleep(self.seconds)
        return value


class QuickModel(SlowModel):
    """For what is no matter of time."""

    seconds, in_no_stage = 0, 0


@pytest.fixture
def load(monkeypatch):
    """Put a function in the place of `models.load`."""
    return lambda function: monkeypatch.setattr(models, "load", lambda key, *args, **_: function(key))


@pytest.fixture
def calls(load):
    """The keys of the models in the order in which they are called; they take no time."""
    calls = []

    def counted(key):
        model = QuickModel(key)
        model.calls = calls
        return model

    load(counted)
    return calls


def last(progresses):
    *_, end = progresses
    return end.report


@pytest.mark.parametrize("stage", ["transfer", "preprocess", "forward", "postprocess"])
def test_50_ms_of_sleep_are_50_ms_in_the_right_stage(load, stage):
    def slow(key):
        model = SlowModel(key)
        model.slow_stage = stage
        return model

    load(slow)
    [found] = last(benchmark.run([Case(FCN, (24, 32))], "cpu", rounds=3)).measurements
    assert found.summary(stage).p50_s == pytest.approx(0.05, abs=0.03)
    for other in {"transfer", "preprocess", "forward", "postprocess"} - {stage}:
        assert found.summary(other).p50_s < 0.03


def test_a_batch_is_timed_as_one_call(load):
    load(SlowModel)
    [found] = last(benchmark.run([Case(FCN, (24, 32), batch=4)], "cpu", rounds=3)).measurements
    assert found.summary("forward").p50_s == pytest.approx(0.05, abs=0.03)
    assert found.pictures_per_s() == pytest.approx(4 / found.summary().p50_s)


def test_models_are_measured_in_turns_after_their_warm_up(calls):
    report = last(benchmark.run([Case(FCN, (24, 32)), Case(SEGFORMER, (24, 32))], "cpu", rounds=3, warm_up=2))
    assert calls[-6:] == [FCN, SEGFORMER] * 3
    assert {len(samples) for one in report.measurements for samples in one.samples.values()} == {3}


def test_a_model_that_fails_keeps_its_reason_and_the_others_are_measured(load):
    def picky(key):
        if key == FCN:
            raise ModelError("No weights here.")
        return QuickModel(key)

    load(picky)
    failed, fine = last(benchmark.run([Case(FCN, (24, 32)), Case(SEGFORMER, (24, 32))], "cpu", rounds=2)).measurements
    assert failed.problem == "No weights here."
    assert failed.samples == {}
    assert fine.problem == ""


def test_a_failure_that_nobody_foresaw_is_told_and_the_others_are_measured(load, caplog):
    def broken(key):
        model = QuickModel(key)
        if key == FCN:
            model.forward = lambda inputs: [][1]
        return model

    load(broken)
    failed, fine = last(benchmark.run([Case(FCN, (24, 32)), Case(SEGFORMER, (24, 32))], "cpu", rounds=2)).measurements
    assert "IndexError" in failed.problem
    assert "list index out of range" in caplog.text
    assert len(fine.samples["forward"]) == 2


def test_stopping_leaves_no_call_behind(calls):
    steps = benchmark.run([Case(FCN, (24, 32))], "cpu", rounds=50)
    next(steps)
    steps.close()
    assert calls == []


@pytest.mark.parametrize("case", [Case(FCN, (0, 9)), Case(FCN, (9, 9), batch=0), Case(FCN, (9000, 9000))])
def test_sizes_that_make_no_sense_are_refused(case):
    with pytest.raises(ValueError, match="a batch must have"):
        next(benchmark.run([case], "cpu"))


@pytest.mark.parametrize("n", [6, 20, 75])
def test_the_interval_of_a_median_holds_it_as_often_as_promised(n):
    rng = np.random.default_rng(0)
    draws = rng.exponential(1.0, (3000, n))
    held = [low <= math.log(2) <= high for low, high in map(benchmark.median_interval, draws)]
    assert np.mean(held) > 0.94


def test_few_samples_have_no_interval():
    assert benchmark.median_interval(np.arange(5.0)) == (-math.inf, math.inf)


def timed(*seconds, size_hw=(9, 9)):
    return Measurement(Case(FCN, size_hw), {stage: tuple(seconds) for stage in benchmark.STAGES})


def test_models_whose_intervals_overlap_are_not_ranked():
    quick, alike, also, slow = (timed(*(base + 0.01 * i for i in range(10))) for base in (1.0, 2.0, 2.05, 3.0))
    assert benchmark.places([slow, alike, quick, also]) == [4, None, 1, None]
    assert benchmark.places([Measurement(Case(FCN, (9, 9)), problem="gone"), quick]) == [None, 1]


def test_ranks_are_among_cases_of_one_size():
    small, large = timed(*range(1, 9)), timed(*range(11, 19), size_hw=(18, 18))
    assert benchmark.places([large, small]) == [1, 1]


def test_a_model_that_fails_in_a_later_call_leaves_the_others_standing(load):
    def fading(key):
        model = QuickModel(key)
        model.seconds = 0
        if key == FCN:
            model.settle = lambda outputs, rest=[None] * 6: rest.pop() or outputs if rest else tired()
        return model

    def tired():
        raise MemoryError

    load(fading)
    failed, fine = last(benchmark.run([Case(FCN, (24, 32)), Case(SEGFORMER, (24, 32))], "cpu", rounds=9)).measurements
    assert "does not fit" in failed.problem
    assert len(fine.samples["forward"]) == 9


def test_a_report_is_read_back_as_it_was(load):
    load(QuickModel)
    cases = [Case(FCN, (24, 32), 2), Case(SEGFORMER, (24, 32)), Case(FCN, (24, 32), extras=Extras(tta="flip"))]
    report = last(benchmark.run(cases, "cpu", rounds=2))
    assert benchmark.parse(report.text()).measurements[2].case == cases[2]
    assert benchmark.parse(report.text()).text() == report.text()
    json.loads(report.text(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def test_a_record_without_one_of_the_stages_is_of_another_version(load):
    load(QuickModel)
    record = json.loads(last(benchmark.run([Case(FCN, (24, 32))], "cpu", rounds=1)).text())
    del record["measurements"][0]["samples"]["transfer"]
    with pytest.raises(SegdemoError, match="another version"):
        benchmark.parse(json.dumps(record))


def test_the_references_that_come_along_are_of_this_version():
    files = sorted(benchmark.REFERENCE.glob("*.json"))
    assert files
    for file in files:
        assert benchmark.parse(file.read_text(encoding="utf-8")).measurements


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "segdemo benchmark", "version": 2}', "null"])
def test_what_is_no_report_gets_its_sentence(text):
    with pytest.raises(SegdemoError, match="not a benchmark"):
        benchmark.parse(text)


def test_a_real_model_is_counted_and_timed():
    [found] = last(benchmark.run([Case("starter/mask2former", (64, 96), untrained=True)], "cpu", rounds=1)).measurements
    model = models.load("starter/mask2former", "cpu", weights="untrained")
    assert found.parameters == sum(p.numel() for p in model.module.parameters())
    assert found.gmacs > 0.01
    assert "20 queries" in found.findings
    assert isinstance(model, QueriesModel)


@pytest.mark.parametrize("key", ["starter/fcn", "starter/segformer"])
def test_another_order_in_memory_gives_the_labels_that_the_app_gives(key):
    [image], _ = decoded(picture_file((96, 128)), 1)
    ways = ("default", "channels-last", "contiguous")
    plain, *others = (models.predict(load_case(Case(key, (96, 128), way=way), "cpu"), [image])[0] for way in ways)
    for other in others:
        assert np.mean(other.labels == plain.labels) > 0.999


def test_compiling_reaches_the_network():
    for key in ("starter/fcn", "starter/maskrcnn", "starter/segformer"):
        model = load_case(Case(key, (96, 128), way="compile"), "cpu")
        assert any(module._compiled_call_impl is not None for module in model.module.modules())


def test_memory_on_a_cpu_is_that_of_the_call_and_not_of_the_process():
    assert (
        4 * 1024 * 1024 < benchmark_memory.peak_bytes(Case(FCN, (1024, 1024))) < 100e6
    )  # picture and labels, at least


def test_memory_that_cannot_be_had_is_none(monkeypatch):
    monkeypatch.setattr("sys.executable", "no/such/python")
    assert benchmark_memory.peak_bytes(Case(FCN, (64, 64))) is None


def test_the_environment_tells_threads_and_an_older_record_has_no_governor(load, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("SEGDEMO_RESULTS", str(tmp_path / "results.sqlite"))
    load(QuickModel)
    before = devices.threads()
    try:
        words = ["--rounds", "1", "--device", "cpu", "--threads", "1", "--way", "default", "contiguous"]
        assert main(["benchmark", "--model", FCN, "--size", "24x32", *words]) == 0
    finally:
        devices.use_threads(before)
    [text] = Results().benchmarks().values()
    record = json.loads(text)
    assert record["environment"]["threads"] == 1
    assert [row["case"]["way"] for row in record["measurements"]] == ["default", "contiguous"]
    assert "(contiguous)" in capsys.readouterr().out
    del record["environment"]["governor"]
    assert benchmark.parse(json.dumps(record)).environment.governor is None


def test_published_speeds_stand_apart_with_their_protocol_and_source():
    case = Case("nvidia/segformer-b0-finetuned-ade-512-512", (512, 512), untrained=True)
    where = devices.environment("cpu")
    table = benchmark_tables.published(Report("", where, 1, 0, {}, (Measurement(case), Measurement(Case(FCN, (9, 9))))))
    assert table["pictures per s"].tolist() == [51.3]
    assert "GPU is not named" in table["measured how"][0]
    assert table["source"][0].startswith("https://github.com/open-mmlab/")


def test_all_published_speeds_are_of_models_in_the_catalogue():
    for one in PUBLISHED:
        catalog.find(one.model)


def test_settled_queries_find_the_same_number_of_things_in_any_picture():
    torch.manual_seed(0)
    masks = torch.full((1, 30, 8, 8), -9.0)
    for query in range(30):
        masks[0, query, query // 8, query % 8] = 9
    queries = settled(MaskQueries(torch.randn(1, 30, 25), masks, (8, 8)))
    [answer] = panoptic(queries, (8, 8), frozenset(range(24)))
    assert len(answer.segments) == SETTLED


def test_the_command_prints_a_row_for_each_case_and_keeps_the_run(load, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("SEGDEMO_RESULTS", str(tmp_path / "results.sqlite"))
    load(QuickModel)
    file = tmp_path / "report.json"
    sizes = ["--size", "24x32", "48x64", "--batch", "1", "2", "--rounds", "2", "--device", "cpu"]
    assert main(["benchmark", "--model", FCN, *sizes, "--json", str(file)]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith(FCN)]
    assert [row.split()[1:3] for row in rows] == [["24x32", "1"], ["24x32", "2"], ["48x64", "1"], ["48x64", "2"]]
    [kept] = Results().benchmarks().values()
    assert kept == file.read_text()


@pytest.mark.parametrize("wrong", [["--size", "big"], ["--model", "nobody/nothing"], ["--precision", "fp8"]])
def test_wrong_arguments_of_the_command_are_told(wrong, capsys):
    with pytest.raises(SystemExit) as end:
        main(["benchmark", *wrong])
    assert end.value.code == 2
    assert "error" in capsys.readouterr().err


def test_the_command_needs_a_model_or_a_suite(capsys):
    assert main(["benchmark"]) == 2
    assert "--suite standard" in capsys.readouterr().err


def test_the_standard_suite_names_models_of_the_catalogue_and_no_case_twice():
    for device in ("cpu", "cuda:0"):
        cases = benchmark_cli.standard(device)
        assert len(set(cases)) == len(cases)
        benchmark._check(cases, 1)


def test_an_older_file_of_results_gets_room_for_benchmarks(tmp_path):
    store = Results(tmp_path / "old.sqlite")
    with sqlite3.connect(store.path) as connection:
        connection.execute("DROP TABLE benchmarks")
    again = Results(store.path)
    number = again.keep_benchmark("{}")
    assert again.benchmarks() == {number: "{}"}
    again.delete_benchmark(number)
    assert again.benchmarks() == {}


def test_views_are_timed_beside_the_plain_run_and_cost_what_they_cost(load, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("SEGDEMO_RESULTS", str(tmp_path / "results.sqlite"))
    load(QuickModel)
    words = ["--tta", "none", "flip", "--tile", "0", "64", "--size", "24x100", "--rounds", "1", "--device", "cpu"]
    assert main(["benchmark", "--model", FCN, *words]) == 0
    [text] = Results().benchmarks().values()
    extras = [one.case.extras for one in benchmark.parse(text).measurements]
    assert extras == [Extras(), Extras(tta="flip"), Extras(64), Extras(64, "flip")]
    shown = capsys.readouterr().out
    assert f"{FCN} (tile 64, flip)" in shown
