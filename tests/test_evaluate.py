from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeModel

from segdemo.confusion import count
from segdemo.datasets import Dataset, Skipped
from segdemo.errors import ImageError, ModelError, SegdemoError
from segdemo.evaluate import evaluate, identify
from segdemo.extras import Extras
from segdemo.images import InputImage
from segdemo.labels import CAMVID, VOID, LabelSpace
from segdemo.models.catalog import find
from segdemo.results import Results
from segdemo.sample import Sample, TrueSegments
from segdemo.scoring import unpack

KEY = "starter/fcn"


@dataclass
class Blocks:
    """Random label maps of two sizes; the pictures at `broken` cannot be read."""

    count: int = 12
    broken: tuple[int, ...] = ()
    space: LabelSpace = CAMVID
    segments: TrueSegments | None = None
    name: str = "blocks"
    digest: str = "1" * 64
    skipped: tuple[Skipped, ...] = ()
    read_positions: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return self.count

    def read(self, index: int) -> Sample:
        self.read_positions.append(index)
        if index in self.broken:
            raise ImageError(f"picture {index} is damaged.")
        rng = np.random.default_rng(index)
        size_hw = (24, 32) if index % 5 else (32, 24)
        labels = np.kron(rng.integers(0, 11, (4, 4)), np.ones((size_hw[0] // 4, size_hw[1] // 4))).astype(np.uint8)
        labels[:2] = VOID
        return Sample(
            f"{index}.png", InputImage(np.zeros((*size_hw, 3), np.uint8), str(index), ""), labels, self.segments
        )


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results.sqlite")


def run_all(model: FakeModel, dataset: Dataset, results: Results, limit: int | None = None):
    return list(evaluate(model, dataset, results, limit))


@pytest.mark.parametrize("device", ["cpu", "cpu:0"])  # side by side; in batches, as on a GPU
def test_counts_are_those_of_each_picture_alone(results: Results, monkeypatch: pytest.MonkeyPatch, device: str):
    monkeypatch.setattr("segdemo.evaluate.batch_size", lambda device: 3)
    model, dataset = FakeModel(KEY, device), Blocks()
    last = run_all(model, dataset, results)[-1]
    assert (last.done, last.skipped, last.pictures) == (12, 0, 12)
    pictures = list(results.pictures(last.run))
    assert [picture.name for picture in pictures] == [f"{i}.png" for i in range(12)]
    for i, picture in enumerate(pictures):
        sample = dataset.read(i)
        [answer] = model.postprocess([sample.image], sample.image.size_hw)
        expected = count(sample.labels, answer.labels, 11)
        assert np.array_equal(unpack(picture.scores).classes.counts, expected.counts)


def test_progress_grows_to_the_end_and_tells_the_time_left(results: Results):
    told = run_all(FakeModel(KEY), Blocks(), results)
    assert [progress.done for progress in told] == [0, *range(1, 13)]
    assert told[0].left_s is None
    assert told[-1].left_s == 0


def test_a_picture_that_cannot_be_read_is_listed_and_the_rest_goes_on(results: Results):
    last = run_all(FakeModel(KEY), Blocks(broken=(0, 5)), results)[-1]
    assert (last.done, last.skipped) == (12, 2)
    skipped = [picture for picture in results.pictures(last.run) if picture.skipped]
    assert [(picture.position, picture.skipped) for picture in skipped] == [
        (0, "picture 0 is damaged."),
        (5, "picture 5 is damaged."),
    ]


def test_an_interrupted_run_goes_on_where_it_stopped_to_the_same_counts(results: Results, tmp_path: Path):
    running = evaluate(FakeModel(KEY), Blocks(), results)
    stopped = list(islice(running, 6))[-1]
    running.close()
    again, dataset = FakeModel(KEY), Blocks()
    last = run_all(again, dataset, results)[-1]
    assert last.run.id == stopped.run.id
    assert min(dataset.read_positions) == stopped.done
    unbroken = Results(tmp_path / "unbroken.sqlite")
    whole = run_all(FakeModel(KEY), Blocks(), unbroken)[-1]
    assert list(results.pictures(last.run)) == list(unbroken.pictures(whole.run))


def test_a_finished_run_is_not_run_again(results: Results):
    run_all(FakeModel(KEY), Blocks(), results)
    again, dataset = FakeModel(KEY), Blocks()
    [progress] = run_all(again, dataset, results)
    assert progress.done == 12
    assert again.looked_at == dataset.read_positions == []


def test_the_limit_takes_the_first_pictures(results: Results):
    dataset = Blocks()
    assert run_all(FakeModel(KEY), dataset, results, limit=3)[-1].done == 3
    assert sorted(dataset.read_positions) == [0, 1, 2]


def test_other_data_weights_or_precision_is_another_run(monkeypatch: pytest.MonkeyPatch):
    spec, dataset = find(KEY), Blocks()
    identity = identify(spec, "fp32", dataset)
    assert identity == identify(spec, "fp32", Blocks())
    assert identity != identify(spec, "bf16", dataset)
    assert identity != identify(spec, "fp32", dataset, extras=Extras(64))
    assert identity != identify(find("starter/segformer"), "fp32", dataset)
    assert identity != identify(spec, "fp32", replace(dataset, digest="2" * 64))
    monkeypatch.setattr("segdemo.models.weights.fingerprint", lambda spec: "retrained")
    assert identity != identify(spec, "fp32", dataset)


def test_other_label_sets_are_scored_over_the_classes_both_know(results: Results):
    last = run_all(FakeModel("nvidia/segformer-b0-finetuned-ade-512-512"), Blocks(count=2), results)[-1]
    space = last.run.identity.space
    assert 3 <= len(space.classes) < 11
    assert "road" in space.classes
    scores = unpack(next(results.pictures(last.run)).scores)
    assert scores.classes.counts.shape == (len(space.classes), len(space.classes) + 1)
    assert 0 < scores.coverage.share() <= 1


def test_nothing_in_common_is_told_before_anything_runs(results: Results):
    strange = LabelSpace("cells", ("nucleus",), ((1, 2, 3),))
    model = FakeModel(KEY)
    with pytest.raises(SegdemoError, match="no class in common"):
        run_all(model, Blocks(space=strange), results)
    assert model.looked_at == []


def test_segments_are_scored_by_what_the_task_gives(results: Results):
    box = np.array([[8, 6, 16, 12]], np.int32)
    truth = TrueSegments(box, (np.ones((6, 8), bool),), np.array([8], np.uint8), np.zeros(1, bool))
    found = {}
    for key in ("starter/maskrcnn", "starter/mask2former", KEY):
        last = run_all(FakeModel(key), Blocks(count=1, segments=truth), results)[-1]
        found[key] = unpack(next(results.pictures(last.run)).scores)
    assert len(found["starter/maskrcnn"].instances.truths) == 1
    assert found["starter/mask2former"].panoptic.missed[8] + found["starter/mask2former"].panoptic.matched[8] == 1
    assert found[KEY].instances is None
    assert found[KEY].panoptic is None


def test_a_model_that_fails_ends_the_run_and_keeps_what_was_done(results: Results):
    class Failing(FakeModel):
        def forward(self, inputs):
            if inputs[0].digest == "4":
                raise ModelError("does not fit into memory.")
            return inputs

    with pytest.raises(ModelError, match="does not fit"):
        run_all(Failing(KEY), Blocks(), results)
    [run] = results.runs()
    assert run.finished is None
    assert results.done(run) <= {0, 1, 2, 3}
    assert run_all(FakeModel(KEY), Blocks(), results)[-1].done == 12


@pytest.mark.parametrize("device", ["cpu", "cpu:0"])
def test_extras_reach_the_model_and_are_kept_with_the_run(results: Results, device: str):
    model = FakeModel(KEY, device)
    last = list(evaluate(model, Blocks(count=3), results, extras=Extras(tta="flip")))[-1]
    assert last.run.identity.extras == Extras(tta="flip")
    assert len(model.looked_at) == 6


def test_extras_that_a_model_cannot_have_are_refused_before_anything_is_kept(results: Results):
    with pytest.raises(ModelError, match="gives instance segments"):
        list(evaluate(FakeModel("starter/maskrcnn"), Blocks(), results, extras=Extras(refine="crf")))
    assert results.runs() == []
