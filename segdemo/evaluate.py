"""Run a model over a data set and keep what was counted on every picture.

    results = Results()
    for progress in evaluate(models.load("starter/fcn"), open_dataset("street-scenes:100"), results):
        print(progress.done, progress.left_s)

While the model looks at one batch, threads read the next pictures and score the last ones; pictures of one size that
follow each other run together. Nothing grows with the number of pictures but the store.
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice

from segdemo import devices, models
from segdemo.class_mapping import ClassMapping, mapping
from segdemo.datasets.dataset import Dataset
from segdemo.errors import ImageError
from segdemo.models import Model, weights
from segdemo.models.catalog import Task
from segdemo.prediction import Prediction
from segdemo.results import Picture, Results, Run, RunIdentity
from segdemo.sample import Sample
from segdemo.scoring import score

SCORE_THRESHOLD = 0.05  # to load instance models with: a precision-recall curve wants the doubtful instances too
_THREADS = 2  # that read and score: more than one hides the disk, many would take the model's cores
_BATCH_ON_GPU = 8


@dataclass(frozen=True)
class EvaluationProgress:
    """Pictures done, skipped ones among them, of `pictures`; left_s is None until it can be told."""

    run: Run
    done: int
    skipped: int
    pictures: int
    left_s: float | None


def identify(model: Model, dataset: Dataset, limit: int | None = None) -> RunIdentity:
    """What this model's run over the first `limit` pictures of the data set is known by."""
    pictures = len(dataset) if limit is None else min(limit, len(dataset))
    space = mapping(dataset.space, model.space).space
    return RunIdentity(
        model.spec.key, weights.fingerprint(model.spec), model.precision, dataset.name, dataset.digest, space, pictures
    )


def evaluate(
    model: Model, dataset: Dataset, results: Results, limit: int | None = None
) -> Iterator[EvaluationProgress]:
    """Score the model on the first `limit` pictures (None: all), reporting after each picture.

    A run that was interrupted goes on where it stopped, and a finished one is reported at once. A picture that cannot
    be used is kept as skipped, with the reason. Raises `ModelError` where model and data set have no class in common or
    a picture does not fit into memory.
    """
    run = results.begin(identify(model, dataset, limit), asdict(devices.environment(model.device)))
    kept = results.done(run)
    skipped = sum(picture.skipped is not None for picture in results.pictures(run)) if kept else 0
    done, begun = len(kept), time.monotonic()
    pictures = run.identity.limit
    yield EvaluationProgress(run, done, skipped, pictures, None)
    if run.finished:
        return
    positions = [i for i in range(pictures) if i not in kept]
    for picture in _scored(model, dataset, positions):
        results.add(run, picture)
        done += 1
        skipped += picture.skipped is not None
        left_s = (time.monotonic() - begun) / (done - len(kept)) * (pictures - done)
        yield EvaluationProgress(run, done, skipped, pictures, left_s)
    results.finish(run)


def _scored(model: Model, dataset: Dataset, positions: Sequence[int]) -> Iterator[Picture]:
    """The pictures at these positions, scored or skipped; scoring lags behind the model."""
    batch = _BATCH_ON_GPU if model.device.startswith("cuda") else 1
    common = mapping(dataset.space, model.space)
    waiting: deque[Future[Picture]] = deque()
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            samples = _read_ahead(pool, dataset, positions, 2 * batch + _THREADS)
            for item in _predicted(model, samples, batch):
                if isinstance(item, Picture):
                    yield item
                    continue
                waiting.append(pool.submit(_score, *item, model.spec.task, common))
                if len(waiting) > 2 * batch:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _read_ahead(
    pool: ThreadPoolExecutor, dataset: Dataset, positions: Sequence[int], ahead: int
) -> Iterator[tuple[int, Sample] | Picture]:
    """The samples at these positions, the next ones already read by threads; what cannot be read comes as skipped."""
    left = iter(positions)
    reading = deque(pool.submit(_read, dataset, i) for i in islice(left, ahead))
    while reading:
        sample = reading.popleft().result()
        reading.extend(pool.submit(_read, dataset, i) for i in islice(left, 1))
        yield sample


def _predicted(
    model: Model, samples: Iterable[tuple[int, Sample] | Picture], batch: int
) -> Iterator[tuple[int, Sample, Prediction] | Picture]:
    """Samples with the model's answers; up to `batch` of one size that follow each other run together."""
    group: list[tuple[int, Sample]] = []

    def answered() -> Iterator[tuple[int, Sample, Prediction]]:
        predictions = models.predict(model, [sample.image for _, sample in group]) if group else []
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


def _read(dataset: Dataset, position: int) -> tuple[int, Sample] | Picture:
    try:
        return position, dataset.read(position)
    except (ImageError, OSError) as error:
        return Picture(position, f"#{position}", None, str(error))


def _score(position: int, sample: Sample, prediction: Prediction, task: Task, common: ClassMapping) -> Picture:
    return Picture(position, sample.name, score(sample, prediction, task, common).pack(), None)
