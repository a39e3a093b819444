import json
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeModel
from test_evaluate import Blocks

from segdemo import scoreboard
from segdemo.boundary import BoundaryCounts
from segdemo.errors import ResultsError
from segdemo.evaluate import evaluate
from segdemo.results import Results
from segdemo.scoring import PictureScores, add, unpack

KEYS = ("starter/fcn", "starter/segformer", "starter/mask2former")


class Better(FakeModel):
    """Right wherever the truth of `Blocks` is known."""

    def forward(self, inputs):
        self.truths = [Blocks().read(int(image.digest)).labels for image in inputs]
        return inputs

    def postprocess(self, outputs, size_hw):
        answers = super().postprocess(outputs, size_hw)
        for answer, truth in zip(answers, self.truths, strict=True):
            np.copyto(answer.labels, truth, where=truth != 255)
        return answers


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results.sqlite")


def runs_of(results: Results, models, dataset=None) -> list[scoreboard.RunScores]:
    dataset = dataset or Blocks()
    return [scoreboard.gather(results, list(evaluate(model, dataset, results))[-1].run) for model in models]


def test_sums_are_those_of_the_pictures(results: Results):
    [run] = runs_of(results, [FakeModel(KEYS[0])])
    each = [unpack(picture.scores) for picture in results.pictures(run.run)]
    assert np.array_equal(run.total.classes.counts, sum(scores.classes.counts for scores in each))
    assert np.array_equal(run.total.sizes.counts, sum(scores.sizes.counts for scores in each))
    assert run.total.coverage.labelled == sum(scores.coverage.labelled for scores in each)
    assert run.tallies.shape == (12, 3, 11)
    assert np.array_equal(run.tallies.sum(0), run.total.classes.tally())


def test_two_classes_are_summed_as_any_other_number_is(results: Results):
    counts = BoundaryCounts(np.array([3, 4]), np.array([5, 6]), (2, 2))
    packed = PictureScores(boundaries=counts).pack()
    total = add(unpack(packed), unpack(packed))
    assert total.boundaries.intersection.tolist() == [6, 8]
    assert total.boundaries.widths == (2, 2)


def test_a_report_holds_the_promised_fields_and_is_plain_json(results: Results):
    runs = runs_of(results, [Better(KEYS[0]), FakeModel(KEYS[1]), FakeModel(KEYS[2])], Blocks(broken=(3,)))
    report = json.loads(json.dumps(scoreboard.report(runs, "mmsegmentation"), allow_nan=False))
    assert (report["dataset"], report["images"], report["skipped"]) == ("blocks", 12, 1)
    assert report["skipped_images"][0]["reason"] == "picture 3 is damaged."
    best, other, panoptic = report["models"]
    assert best["mean_iou"] == best["pixel_accuracy"] == best["per_class"]["car"]["iou"] == 1
    assert other["mean_iou_interval"][0] < other["mean_iou"] < other["mean_iou_interval"][1] < 1
    assert (best["pq"], best["ap"]) == (None, None)
    assert set(panoptic["pq"]) == {"all", "things", "stuff"}
    assert 0 <= panoptic["pq"]["all"]["pq"] < 0.1
    gaps = {(row["a"], row["b"]): row for row in report["differences"]}
    assert gaps[KEYS[0], KEYS[1]]["interval"][0] > 0
    low, high = gaps[KEYS[1], KEYS[2]]["interval"]
    assert low == high == 0


def test_another_convention_needs_no_other_run(results: Results):
    [run] = runs_of(results, [FakeModel(KEYS[0])])
    values = {name: run.mean_iou(name).value for name in ("mmsegmentation", "per_image", "detectron2")}
    assert len(set(values.values())) >= 2


def test_pictures_that_one_model_lacks_are_left_out_of_the_comparison(results: Results):
    whole = runs_of(results, [FakeModel(KEYS[0])])
    partial = runs_of(results, [FakeModel(KEYS[1])], Blocks(broken=(0, 1)))
    _, differences = scoreboard.compare(whole + partial, "mmsegmentation")
    gap = differences[0, 1]
    assert gap.value == gap.low == gap.high == 0


def test_an_instance_model_is_scored_on_what_it_can_find_and_wrong_where_it_calls_the_rest_so(results: Results):
    semantic, instance = runs_of(results, [FakeModel(KEYS[0]), FakeModel("starter/maskrcnn")])
    assert instance.unanswered == frozenset(range(11)) - instance.run.identity.space.things
    assert set(np.flatnonzero(~np.isnan(instance.of_classes(instance.total.classes.iou())))) <= {8, 9, 10}
    things = instance.total.classes.iou()[[8, 9, 10]]
    assert instance.mean_iou("mmsegmentation").value == pytest.approx(np.nanmean(things))
    [_, row] = scoreboard.report([semantic, instance], "mmsegmentation")["models"]
    assert row["pixel_accuracy"] is None
    assert row["per_class"]["road"]["iou"] is None
    assert row["classes"] == ["car", "pedestrian", "bicyclist"]


def test_means_over_different_classes_are_not_compared(results: Results):
    runs = runs_of(results, [FakeModel(KEYS[0]), FakeModel("starter/maskrcnn"), FakeModel(KEYS[1])])
    intervals, differences = scoreboard.compare(runs, "mmsegmentation")
    assert None not in intervals
    assert list(differences) == [(0, 2)]


def test_two_runs_of_one_model_are_compared_with_each_other(results: Results):
    first, second = (runs_of(results, [FakeModel(KEYS[0], precision=p)])[0] for p in ("fp32", "bf16"))
    assert first.run.id != second.run.id
    intervals, differences = scoreboard.compare([first, second], "mmsegmentation")
    assert len(intervals) == 2
    assert differences[0, 1].value == 0


def test_the_pictures_that_hold_a_confusion_are_found_with_their_pixels(results: Results):
    [run] = runs_of(results, [FakeModel(KEYS[0])])
    counts = run.total.classes.counts.copy()
    np.fill_diagonal(counts, 0)
    truth, prediction = (int(i) for i in np.unravel_index(counts.argmax(), counts.shape))
    found = scoreboard.confused(results, run.run, truth, prediction)
    pixels = [row[2] for row in found]
    assert sum(pixels) == counts.max() > 0
    assert pixels == sorted(pixels, reverse=True)
    assert {row[1] for row in found} <= set(run.names)


def test_the_counts_of_every_picture_are_there_as_a_table(results: Results):
    [run] = runs_of(results, [FakeModel(KEYS[0])])
    table = scoreboard.picture_columns([run])
    assert len(table["class"]) == 12 * 11
    assert sum(table["right pixels"]) == run.total.classes.counts.trace()


def test_a_run_without_a_scored_picture_says_why(results: Results):
    with pytest.raises(ResultsError, match="picture 0 is damaged"):
        runs_of(results, [FakeModel(KEYS[0])], Blocks(count=2, broken=(0, 1)))


def test_the_table_of_classes_has_a_row_for_each_model_and_class(results: Results):
    lines = scoreboard.class_table(runs_of(results, [FakeModel(key) for key in KEYS[:2]])).splitlines()
    assert lines[0] == "model,class,iou,precision,recall,boundary iou,support pixels"
    assert len(lines) == 1 + 2 * 11
