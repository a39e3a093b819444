"""How long models take, measured so that the numbers can be trusted.

    for progress in run([Case("starter/fcn", (512, 512)), Case("starter/segformer", (512, 512))], "cpu"):
        print(progress.done, progress.total)
    progress.report.measurements[0].summary("total").p50_s

- The stages are those of the app, by `models.run_stages`: the device is waited for before every look at the clock.
- Models are measured in turns (A B A B …), so that whatever else the machine does, and heat, meets all alike.
- The first call, which pays for memory and kernels, stands apart; warm-up calls are thrown away; all other samples are
  kept as they came.
- Mask R-CNN and Mask2Former take as long as they find things. Here they find a fixed number, which is stated.
- Models are ranked among those measured at the same size, batch and precision; not where intervals overlap.
"""

import json
import logging
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.stats import binom

from segdemo import benchmark_memory, devices, models
from segdemo.benchmark_case import MOST_PIXELS, Case, call, decoded, load, of_record, picture_file
from segdemo.devices import Environment
from segdemo.errors import SegdemoError
from segdemo.extras import Extras
from segdemo.images import InputImage
from segdemo.models import Model, catalog

REFERENCE: Final = Path(__file__).parents[1] / "benchmarks" / "reference"  # measured by this project, as JSON
FORMAT: Final = "segdemo benchmark"
_LOG: Final = logging.getLogger(__name__)
STAGES: Final = ("decode", "transfer", "preprocess", "forward", "postprocess")
ROUNDS: Final = 20
WARM_UP: Final = 3


@dataclass(frozen=True)
class Summary:
    """Of the samples of one stage, in seconds per call. low_s, high_s: the 95 % interval of the median."""

    p50_s: float
    p90_s: float
    p95_s: float
    mean_s: float
    deviation_s: float
    low_s: float
    high_s: float
    calls: int


@dataclass(frozen=True)
class Measurement:
    """What was measured of one case.

    samples: by stage, seconds of every call of a batch, in order; "total" is not among them. load_s: to build the model
    and read its weights. first_s: the first call, which compiles where that is the way. peak_bytes: of one call
    beyond what was there before it, on a GPU of torch's tensors, on a CPU of a process of its own; None where it was
    not measured. reserved_bytes: what torch took from a GPU in all. gmacs: of the forward pass for one picture, in 1e9
    multiply-accumulates, as torch counts them; NaN with extras, which make several passes. findings: what was fixed, ""
    where nothing had to be. problem: why there is no measurement.
    """

    case: Case
    samples: dict[str, tuple[float, ...]] = field(default_factory=dict)
    load_s: float = math.nan
    first_s: float = math.nan
    parameters: int = 0
    weights_bytes: int = 0
    gmacs: float = math.nan
    peak_bytes: int | None = None
    reserved_bytes: int | None = None
    findings: str = ""
    problem: str = ""

    def summary(self, stage: str = "total") -> Summary:
        """The numbers of one stage, or of all without decoding ("total")."""
        return summarise(self.totals() if stage == "total" else np.array(self.samples[stage]))

    def totals(self) -> np.ndarray:
        """(n,) seconds per call from the decoded pictures to labels at their size."""
        return np.sum([self.samples[stage] for stage in STAGES[1:]], axis=0)

    def pictures_per_s(self) -> float:
        """By the median call."""
        return self.case.batch / self.summary().p50_s


@dataclass(frozen=True)
class Report:
    """A run of the benchmark. matrix_rates: by precision, multiply-accumulates a second of a large matrix product."""

    started: str  # UTC, ISO 8601
    environment: Environment
    rounds: int
    warm_up: int
    matrix_rates: dict[str, float]
    measurements: tuple[Measurement, ...]

    def used(self, measurement: Measurement) -> float:
        """The share of the device's matrix rate that a forward pass reaches, in [0, 1]; NaN where it is not known."""
        rate = self.matrix_rates.get(measurement.case.precision, math.nan)
        return 1e9 * measurement.gmacs * measurement.case.batch / (rate * measurement.summary("forward").p50_s)

    def text(self) -> str:
        """As JSON, raw samples and all; not finite numbers become null."""
        record = {"format": FORMAT, "version": 1, **asdict(self)}
        return json.dumps(_finite(record), indent=1, allow_nan=False)


@dataclass(frozen=True)
class Progress:
    """How far a benchmark is: calls done and in all, and about how many seconds are left (None: nobody knows yet).

    report: None until the end.
    """

    done: int
    total: int
    doing: str
    left_s: float | None = None
    report: Report | None = None


def run(
    cases: Sequence[Case],
    device: str = "auto",
    rounds: int = ROUNDS,
    warm_up: int = WARM_UP,
    memory: bool = False,
) -> Iterator[Progress]:
    """Measure the cases, telling how far it is after every call; one that fails keeps its reason, the others go on.

    memory: on a CPU, too, where each case needs a process of its own for that, which takes seconds.
    Raises `ModelError` for an unknown device, `ValueError` for a size, a batch or rounds that make no sense.
    """
    cases = list(dict.fromkeys(cases))
    _check(cases, rounds)
    where, started = devices.choose(device), datetime.now(UTC).isoformat(timespec="seconds")
    total, done, ready = len(cases) * (1 + warm_up + rounds), 0, list[_Ready]()
    kept: dict[Case, Measurement] = {}
    loaded = _Loaded(where)
    for case in cases:
        yield Progress(done, total, f"Loading {catalog.title(case.model)}")
        try:
            ready.append(_prepare(case, loaded, warm_up, memory))
        except Exception as error:  # noqa: BLE001 - one case's failure must leave the others to be measured
            kept[case] = Measurement(case, problem=_reason(error, case))
            total -= rounds
        done += 1 + warm_up
    precisions = sorted({case.precision for case in cases})
    rates = {str(precision): devices.matrix_rate(where, precision) for precision in precisions}
    began_s, before = time.monotonic(), done
    for _ in range(rounds):
        for one in [*ready]:
            try:
                one.sample()
            except Exception as error:  # noqa: BLE001 - as above
                kept[one.case] = Measurement(one.case, problem=_reason(error, one.case))
                ready.remove(one)
            done += 1
            left_s = (time.monotonic() - began_s) / (done - before) * (total - done)
            yield Progress(done, total, f"Timing {catalog.title(one.case.model)}", left_s)
        for precision in precisions:  # the best of all rounds is what the device can do
            rates[precision] = max(rates[precision], devices.matrix_rate(where, precision))
    kept |= {one.case: one.measurement() for one in ready}
    measured = tuple(kept[case] for case in cases)
    report = Report(started, devices.environment(where), rounds, warm_up, rates, measured)
    yield Progress(total, total, "Done", 0, report)


def parse(text: str) -> Report:
    """What `Report.text` wrote. Raises `SegdemoError` where it is something else."""
    try:
        record = json.loads(text)
        if record.pop("format") != FORMAT or record.pop("version") != 1:
            raise KeyError("format")
        rows = tuple(_measurement(row) for row in record.pop("measurements"))
        return Report(environment=Environment(**record.pop("environment")), measurements=rows, **record)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SegdemoError("This is not a benchmark of segdemo, or one of another version.") from error


def summarise(seconds: np.ndarray) -> Summary:
    """Percentiles, mean and deviation of (n,) samples, and the interval of their median from their order alone."""
    p50, p90, p95 = np.percentile(seconds, [50, 90, 95]).tolist()
    low, high = median_interval(seconds)
    deviation = float(seconds.std(ddof=1)) if seconds.size > 1 else math.nan
    return Summary(p50, p90, p95, float(seconds.mean()), deviation, low, high, seconds.size)


def median_interval(samples: np.ndarray) -> tuple[float, float]:
    """An interval that holds the median of the distribution with 95 % or more, whatever its shape.

    Its ends are two of the samples: how many lie below the median is binomial. Fewer than six are too few: then it is
    (-inf, inf).
    """
    ordered, n = np.sort(samples), samples.size
    below = int(binom.ppf(0.025, n, 0.5)) - 1
    while below >= 0 and binom.cdf(below, n, 0.5) > 0.025:
        below -= 1
    if below < 0:
        return -math.inf, math.inf
    return float(ordered[below]), float(ordered[n - 1 - below])


def places(measurements: Sequence[Measurement]) -> list[int | None]:
    """The rank of each by its median total among those of its setting, 1 for the quickest; None where its interval
    meets another's, or nothing was measured.
    """
    found = [(one.case.setting, one.summary()) if one.samples else None for one in measurements]

    def rank(i: int) -> int | None:
        if (mine := found[i]) is None:
            return None
        setting, own = mine
        others = [one[1] for j, one in enumerate(found) if one and j != i and one[0] == setting]
        if any(other.low_s <= own.high_s and own.low_s <= other.high_s for other in others):
            return None
        return 1 + sum(other.p50_s < own.p50_s for other in others)

    return [rank(i) for i in range(len(measurements))]


class _Loaded:
    """Models of one device, each loaded once; how long that took."""

    def __init__(self, device: str) -> None:
        self.device = device
        self._models: dict[tuple[str, str, bool, str], tuple[Model, float]] = {}

    def get(self, case: Case) -> tuple[Model, float]:
        key = case.model, case.precision, case.untrained, case.way
        if key not in self._models:
            start = time.perf_counter()
            model = load(case, self.device)
            self._models[key] = model, time.perf_counter() - start
        return self._models[key]


@dataclass
class _Ready:
    """A case that has been called and warmed up."""

    case: Case
    model: Model
    file: bytes
    begun: Measurement
    calls: list[tuple[float, ...]] = field(default_factory=list)

    def sample(self) -> None:
        """One call more."""
        pictures, decode_s = decoded(self.file, self.case.batch)
        self.calls.append((decode_s, *call(self.model, pictures, self.case.extras)))

    def measurement(self) -> Measurement:
        return replace(self.begun, samples=dict(zip(STAGES, zip(*self.calls, strict=True), strict=True)))


def _prepare(case: Case, loaded: _Loaded, warm_up: int, memory: bool) -> _Ready:
    model, load_s = loaded.get(case)
    file = picture_file(case.size_hw)
    pictures, _ = decoded(file, case.batch)
    first_s = sum(call(model, pictures, case.extras))
    for _ in range(warm_up):
        call(model, pictures, case.extras)
    if model.device == "cpu":
        peak = benchmark_memory.peak_bytes(case) if memory else None
    else:
        peak = _peak_bytes(model, pictures, case.extras)
    parameters = list(model.module.parameters())
    begun = Measurement(
        case=case,
        load_s=load_s,
        first_s=first_s,
        parameters=sum(one.numel() for one in parameters),
        weights_bytes=sum(one.numel() * one.element_size() for one in parameters),
        gmacs=math.nan if case.extras.on(case.size_hw) else models.macs(model, pictures[:1]) / 1e9,
        peak_bytes=peak,
        reserved_bytes=devices.reserved_memory_bytes(model.device),
        findings=model.findings,
    )
    return _Ready(case, model, file, begun)


def _peak_bytes(model: Model, pictures: Sequence[InputImage], extras: Extras) -> int | None:
    """What one call takes on a GPU beyond what is there before it, in bytes."""
    if not devices.reset_peak_memory(model.device):
        return None
    before = devices.peak_memory_bytes(model.device)
    call(model, pictures, extras)
    peak = devices.peak_memory_bytes(model.device)
    return None if before is None or peak is None else peak - before


def _check(cases: Sequence[Case], rounds: int) -> None:
    if rounds < 1:
        raise ValueError(f"rounds must be 1 or more, got {rounds}")
    for case in cases:
        height, width = case.size_hw
        if min(height, width, case.batch) < 1 or height * width * case.batch > MOST_PIXELS:
            raise ValueError(f"a batch must have 1 to {MOST_PIXELS:,} pixels, got {case.batch} of {width}×{height}")


def _reason(error: Exception, case: Case) -> str:
    if devices.is_out_of_memory(error):
        height, width = case.size_hw
        return f"{case.batch} × {width}×{height} does not fit into the device's memory."
    if isinstance(error, SegdemoError):
        return str(error)
    _LOG.exception("%s failed", case)
    return f"It failed in a way that is not known ({type(error).__name__}); the log has more."


def _measurement(row: dict[str, Any]) -> Measurement:
    case = row.pop("case")
    samples = {stage: tuple(values) for stage, values in row.pop("samples").items()}
    if samples and tuple(samples) != STAGES:
        raise KeyError("samples")
    numbers = {name: math.nan if row[name] is None else row[name] for name in ("load_s", "first_s", "gmacs")}
    return Measurement(case=of_record(case), samples=samples, **row | numbers)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value
