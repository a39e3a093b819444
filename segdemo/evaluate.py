"""Run a model over a data set and keep what was counted on every picture.

    results = Results()
    for progress in evaluate(models.load("starter/fcn"), open_dataset("street-scenes:100"), results):
        print(progress.done, progress.left_s)

On a CPU two pictures go all the way side by side, each on half of the cores: small networks fill one core better than
two, and no core waits for a picture to be read. On a GPU, while the model looks at one batch, threads read the next
pictures and score the last ones; pictures of one size that follow each other run together. Nothing grows with the
number of pictures but the store.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from segdemo import devices, models
from segdemo.class_mapping import ClassMapping, mapping
from segdemo.datasets.dataset import Dataset
from segdemo.errors import ImageError
from segdemo.extras import Extras
from segdemo.models import NO_EXTRAS, Model, Precision, catalog, weights
from segdemo.models.spec import ModelSpec, Task
from segdemo.prediction import Prediction
from segdemo.results import Picture, Results, Run, RunIdentity
from segdemo.sample import Sample
from segdemo.scoring import score

SCORE_THRESHOLD = 0.05  # to load instance models with: a precision-recall curve wants the doubtful instances too
_SIDE_BY_SIDE = 2  # pictures on a CPU; each takes a run's memory
_THREADS = 2  # that read and score beside a GPU
_BATCH_ON_GPU = 8

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class EvaluationProgress:
    """Pictures done, skipped ones among them, of `pictures`; left_s is None until it can be told."""

    run: Run
    done: int
    skipped: int
    pictures: int
    left_s: float | None


def identify(
    spec: ModelSpec, precision: Precision, dataset: Dataset, limit: int | None = None, extras: Extras = NO_EXTRAS
) -> RunIdentity:
    """What this model's run over the first `limit` pictures of the data set is known by.

    Raises `SegdemoError` where model and data set have no class in common, or the model cannot have the extras.
    """
    extras.check(spec.key, spec.task)
    pictures = len(dataset) if limit is None else min(limit, len(dataset))
    space = mapping(dataset.space, spec.space).space
    fingerprint = weights.fingerprint(spec)
    return RunIdentity(spec.key, fingerprint, precision, dataset.name, dataset.digest, space, pictures, extras)


def evaluate(
    model: Model, dataset: Dataset, results: Results, limit: int | None = None, extras: Extras = NO_EXTRAS
) -> Iterator[EvaluationProgress]:
    """Score the model on the first `limit` pictures (None: all), reporting after each picture.

    A run that was interrupted goes on where it stopped, and a finished one is reported at once. A picture that cannot
    be used is kept as skipped, with the reason. Raises `ModelError` where model and data set have no class in common,
    the model cannot have the extras, or a picture does not fit into memory.
    """
    identity = identify(model.spec, model.precision, dataset, limit, extras)
    environment = asdict(devices.environment(model.device))
    yield from keep(identity, environment, results, partial(_scored, model, dataset, extras))


def keep(
    identity: RunIdentity,
    environment: dict[str, Any],
    results: Results,
    scored: Callable[[Sequence[int]], Iterator[Picture]],
) -> Iterator[EvaluationProgress]:
    """Begin the run or take it up again: keep the pictures that it lacks, reporting after each.

    environment: what the run is computed on. scored: gives the pictures at the positions it is asked for, in any order.
    """
    spec = catalog.find(identity.model)
    if not catalog.in_catalog(spec):  # another process may never hear of it
        environment = environment | {"checkpoint": spec.record()}
    run = results.begin(identity, environment)
    kept = results.done(run)
    skipped = sum(picture.skipped is not None for picture in results.pictures(run)) if kept else 0
    done, begun = len(kept), time.monotonic()
    pictures = run.identity.limit
    yield EvaluationProgress(run, done, skipped, pictures, None)
    if run.finished:
        return
    for picture in scored([i for i in range(pictures) if i not in kept]):
        results.add(run, picture)
        done += 1
        skipped += picture.skipped is not None
        left_s = (time.monotonic() - begun) / (done - len(kept)) * (pictures - done)
        yield EvaluationProgress(run, done, skipped, pictures, left_s)
    results.finish(run)


def side_by_side() -> int:
    """How many pictures run side by side on this machine's CPU, each on its share of the threads."""
    return min(_SIDE_BY_SIDE, devices.threads())


def batch_size(device: str) -> int:
    """How many pictures run together on a device, as torch names it."""
    return _BATCH_ON_GPU if device.startswith("cuda") else 1


def _scored(model: Model, dataset: Dataset, extras: Extras, positions: Sequence[int]) -> Iterator[Picture]:
    """The pictures at these positions, scored or skipped."""
    common = mapping(dataset.space, model.space)
    yield from (_side_by_side if model.device == "cpu" else _in_batches)(model, dataset, extras, positions, common)


def _side_by_side(
    model: Model, dataset: Dataset, extras: Extras, positions: Sequence[int], common: ClassMapping
) -> Iterator[Picture]:
    """Each thread takes a picture from its file to its scores."""
    pictures = side_by_side()

    def scored(position: int) -> Picture:
        item = read_one(dataset, position)
        if isinstance(item, Picture):
            return item
        [prediction] = models.predict(model, [item[1].image], pictures, extras)
        return score_one(*item, prediction, model.spec.task, common)

    with ThreadPoolExecutor(pictures) as pool:
        try:
            yield from _ahead(pool, scored, positions, 2 * pictures)
        finally:
            pool.shutdown(cancel_futures=True)


def _in_batches(
    model: Model, dataset: Dataset, extras: Extras, positions: Sequence[int], common: ClassMapping
) -> Iterator[Picture]:
    """Threads read before the model and score behind it."""
    batch = batch_size(model.device)
    waiting: deque[Future[Picture]] = deque()
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            samples = _ahead(pool, partial(read_one, dataset), positions, 2 * batch + _THREADS)
            for item in predicted(model, samples, batch, extras):
                if isinstance(item, Picture):
                    yield item
                    continue
                waiting.append(pool.submit(score_one, *item, model.spec.task, common))
                if len(waiting) > 2 * batch:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _ahead(
    pool: ThreadPoolExecutor, work: Callable[[int], _Result], positions: Sequence[int], ahead: int
) -> Iterator[_Result]:
    """The results of `work` in the order of the positions, up to `ahead` of them worked on by the pool already."""
    left = iter(positions)
    working = deque(pool.submit(work, i) for i in islice(left, ahead))
    while working:
        result = working.popleft().result()
        working.extend(pool.submit(work, i) for i in islice(left, 1))
        yield result


def predicted(
    model: Model, samples: Iterable[tuple[int, Sample] | Picture], batch: int, extras: Extras = NO_EXTRAS
) -> Iterator[tuple[int, Sample, Prediction] | Picture]:
    """Samples with the model's answers; up to `batch` of one size that follow each other run together."""
    group: list[tuple[int, Sample]] = []

    def answered() -> Iterator[tuple[int, Sample, Prediction]]:
        predictions = models.predict(model, [sample.image for _, sample in group], extras=extras) if group else []
        for (position, sample), prediction in zip(group, predictions, strict=True):
            yield position, sample, prediction
        group.clear()

    for item in samples:
        if isinstance(item, Picture):
            yield item
            continue
        if group and (len(group) == batch or item[1].image.size_hw != group[0][1].image.size_hw):
            yield from answered()
        group.append(item)
    yield from answered()


def read_one(dataset: Dataset, position: int) -> tuple[int, Sample] | Picture:
    """The sample at a position, or the picture that is skipped because it cannot be read."""
    try:
        return position, dataset.read(position)
    except (ImageError, OSError) as error:
        return Picture(position, f"#{position}", None, str(error))


def score_one(position: int, sample: Sample, prediction: Prediction, task: Task, common: ClassMapping) -> Picture:
    """What is kept of a picture and the model's answer."""
    return Picture(position, sample.name, score(sample, prediction, task, common).pack(), None)
