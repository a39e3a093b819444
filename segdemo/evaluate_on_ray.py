"""The evaluation of `evaluate` on a cluster: Ray Data reads, runs and scores, rows stream back and are kept here.

    with cluster("10.0.0.1:6379"):
        for progress in evaluate_on_ray(find("starter/fcn"), open_dataset("camvid/val"), "camvid/val", Results()):
            print(progress.done)

Either engine goes on with a run that the other began. The workers open the data set by themselves, since an open one
may hold files; what they know comes back pickled, so they must run this same code. See docs/cluster.md.
"""

import logging
import math
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from segdemo import devices, models
from segdemo.class_mapping import ClassMapping, mapping
from segdemo.datasets import Dataset, open_dataset, scenes
from segdemo.errors import ModelError, SegdemoError, WeightsError
from segdemo.evaluate import (
    SCORE_THRESHOLD,
    EvaluationProgress,
    batch_size,
    identify,
    keep,
    predicted,
    read_one,
    score_one,
    side_by_side,
)
from segdemo.extras import Extras
from segdemo.models import NO_EXTRAS, Model, Precision, catalog, weights
from segdemo.models.spec import ModelSpec, Task
from segdemo.results import Picture, Results, RunIdentity

_BLOCK = 8  # pictures that a worker is given at a time: few, so that they soon come back
_MOST_BLOCKS = 20_000  # Ray takes up to 2 ms to prepare each, before anything runs
_SHARE_OF_MODELS = 0.75  # of a cluster's CPUs; were it all, reading would never begin
_CONNECT_S = 10.0

_Rows = dict[str, np.ndarray]  # one column, "item", of any objects


@contextmanager
def cluster(address: str | None = None) -> Iterator[None]:
    """Be connected to a cluster.

    address: HOST:PORT of a head node, or "auto" for the cluster that this machine is a node of; None: RAY_ADDRESS, else
        a cluster of this machine alone that ends with the block.
    Raises `SegdemoError` where ray is not installed or the cluster cannot be reached.
    """
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise SegdemoError("ray is not installed; run `pip install -r requirements-ray.txt`.") from error
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    # Of Ray's core only; it calls restartable actors, which all of Ray Data's are, an error.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        _knock(address)
        ray.init(address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # Ray raises plain ones, too
        reason = str(error).partition("\n")[0]
        raise SegdemoError(f"The Ray cluster {address} cannot be used ({reason}); see docs/cluster.md.") from error
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        yield
    finally:
        ray.shutdown()


def evaluate_on_ray(
    spec: ModelSpec,
    dataset: Dataset,
    source: str,
    results: Results,
    limit: int | None = None,
    device: str = "auto",
    precision: Precision = "fp32",
    extras: Extras = NO_EXTRAS,
) -> Iterator[EvaluationProgress]:
    """As `evaluate`, within `cluster`; pictures are kept in the order in which they are done.

    source: what `dataset` was opened by; a path must lead to the same files on every node.
    device: "cuda", "cpu", or "auto": GPUs where the cluster has any.
    Raises `SegdemoError` as `evaluate` does, and where the cluster lacks what is asked for or has other weights.
    """
    identity = identify(spec, precision, dataset, limit, extras)
    pool = _pool(device)
    scored = partial(_scored, spec, identity, _Source.of(dataset, source), mapping(dataset.space, spec.space), pool)
    yield from keep(identity, _environment(pool, precision), results, scored)


@dataclass(frozen=True)
class _Source:
    """What a worker opens the data set by; the digest has it opened again once its files have changed."""

    path: str
    digest: str

    @classmethod
    def of(cls, dataset: Dataset, source: str) -> "_Source":
        """With an absolute path: workers have another working directory."""
        named = source.split(":")[0] == scenes.NAME
        return cls(source if named else str(Path(source).absolute()), dataset.digest)


@dataclass(frozen=True)
class _Pool:
    """The processes that hold the model: on a device each, at most `size` of them; options: Ray's, for one of them."""

    device: str
    size: int
    options: dict[str, Any]


def _pool(device: str) -> _Pool:
    """What the cluster has for models on this device.

    On CPUs a model gets as many threads as a picture gets on this machine: with another number, sums are rounded
    differently, and the counts would not be those of a run here.
    """
    import ray

    resources = ray.cluster_resources()
    cpus, gpus = int(resources.get("CPU", 0)), int(resources.get("GPU", 0))
    if device not in ("auto", "cpu", "cuda"):
        raise ModelError(f"A cluster has no device {device!r}; choose one of: auto, cpu, cuda.")
    if device == "cuda" and not gpus:
        raise ModelError("The cluster has no GPU; choose the device cpu or auto.")
    if cpus < 2:
        raise ModelError("The cluster has fewer than 2 CPUs, one for the model and one to read; add a node.")
    threads = devices.threads() // side_by_side()
    options: dict[str, Any] = {"runtime_env": {"env_vars": {"OMP_NUM_THREADS": str(threads)}}}
    if gpus and device != "cpu":
        return _Pool("cuda", gpus, options | {"num_gpus": 1})
    largest = max(int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"])
    for_models = int(cpus * _SHARE_OF_MODELS)
    each = min(threads, largest, for_models)
    return _Pool("cpu", for_models // each, options | {"num_cpus": each})


def _environment(pool: _Pool, precision: Precision) -> dict[str, Any]:
    """Of a worker that could hold the model. Raises `ModelError` where its device cannot run `precision`."""
    import ray

    if pool.device == "cpu":  # all but the name is known here; a worker would take seconds to import torch
        devices.check_precision("cpu", precision)
        name = ray.get(ray.remote(devices.describe).remote("cpu"))
        return asdict(replace(devices.environment("cpu"), device=name))
    answer = ray.get(ray.remote(**pool.options)(_environment_of_gpu).remote(precision))
    if isinstance(answer, SegdemoError):
        raise answer
    return answer


def _environment_of_gpu(precision: Precision) -> dict[str, Any] | SegdemoError:
    try:
        device = devices.choose("cuda")
        devices.check_precision(device, precision)
    except SegdemoError as error:
        return error
    return asdict(devices.environment(device))


def _scored(
    spec: ModelSpec,
    identity: RunIdentity,
    source: _Source,
    common: ClassMapping,
    pool: _Pool,
    positions: Sequence[int],
) -> Iterator[Picture]:
    """The pictures at these positions, scored or skipped, as they are done."""
    import ray.data

    if not positions:
        return
    blocks = min(math.ceil(len(positions) / _BLOCK), _MOST_BLOCKS)
    rows = (
        ray.data.from_items(list(positions), override_num_blocks=blocks)
        .map_batches(partial(_read, source), batch_size=None)
        .map_batches(
            _Network,
            fn_constructor_args=(spec, identity, pool.device),
            batch_size=batch_size(pool.device),
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=pool.size),
            **pool.options,
        )
        .map_batches(partial(_score, spec.task, common), batch_size=None)
    )
    for row in rows.iter_rows():
        if isinstance(row["item"], SegdemoError):
            raise row["item"]
        yield row["item"]


def _read(source: _Source, rows: _Rows) -> Iterator[_Rows]:
    return _answers(rows, lambda positions: (read_one(_open(source), int(position)) for position in positions))


@lru_cache(maxsize=1)
def _open(source: _Source) -> Dataset:
    return open_dataset(source.path)


class _Network:
    """A model in a worker, loaded when the first pictures come."""

    def __init__(self, spec: ModelSpec, identity: RunIdentity, device: str) -> None:
        catalog.register(spec)  # a checkpoint that somebody brought is not in the workers' table
        self._identity, self._device = identity, device

    def __call__(self, rows: _Rows) -> Iterator[_Rows]:
        return _answers(rows, lambda items: predicted(self._model, items, len(items), self._identity.extras))

    @cached_property
    def _model(self) -> Model:
        identity = self._identity
        model = models.load(identity.model, self._device, identity.precision, score_threshold=SCORE_THRESHOLD)
        here = weights.fingerprint(model.spec)
        if here != identity.weights:
            raise WeightsError(
                f"{socket.gethostname()} has other weights of {identity.model} ({here}) than this machine "
                f"({identity.weights}); give all nodes the same."
            )
        return model


def _score(task: Task, common: ClassMapping, rows: _Rows) -> Iterator[_Rows]:
    def scored(items: Iterable[Any]) -> Iterator[Picture]:
        for item in items:
            if isinstance(item, Picture):
                yield item
            else:
                position, sample, prediction = item
                yield score_one(position, sample, prediction, task, common)

    return _answers(rows, scored)


def _answers(rows: _Rows, work: Callable[[Sequence[Any]], Iterable[Any]]) -> Iterator[_Rows]:
    """What `work` makes of the items, one by one, or the error that ends the run.

    The error travels as an item of its own: raised here, it would arrive wrapped in traces.
    """
    items = list(rows["item"])
    try:
        for item in items:
            if isinstance(item, SegdemoError):
                raise item
        for answer in work(items):
            yield _row(answer)
    except SegdemoError as error:
        yield _row(error)


def _row(item: Any) -> _Rows:
    return {"item": np.fromiter([item], dtype=object, count=1)}  # of a tuple too


def _knock(address: str) -> None:
    """Raises `OSError` where nobody answers; Ray itself would try for a minute."""
    host, _, port = address.rpartition("/")[2].rpartition(":")
    if port.isdecimal():
        socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()
