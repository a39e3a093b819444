"""The command `benchmark`: its arguments, its table, and the standard suite."""

import argparse
import math
import re
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Final

from segdemo import benchmark, devices, extras_arguments, words
from segdemo.benchmark import Measurement, Report
from segdemo.benchmark_case import Case
from segdemo.errors import SegdemoError
from segdemo.extras import Extras
from segdemo.models import WAYS, catalog, found
from segdemo.models.spec import ModelSpec
from segdemo.results import Results
from segdemo.terminal import Faults, ProgressBar

# What the files in benchmarks/reference/ hold. All but the starters without their weights: any machine can run it.
_STARTERS: Final = tuple(spec.key for spec in catalog.CATALOG if spec.source == "starter")
_PUBLISHED: Final = (
    *(f"nvidia/segformer-b{n}-finetuned-ade-512-512" for n in range(5)),
    "nvidia/segformer-b5-finetuned-ade-640-640",
    *(f"torchvision/{name}" for name in ("fcn_resnet50", "deeplabv3_resnet50", "lraspp_mobilenet_v3_large")),
    "torchvision/maskrcnn_resnet50_fpn",
    *(f"facebook/mask2former-swin-{size}-coco-panoptic" for size in ("tiny", "small", "base", "large")),
)
_ON_A_CPU: Final = (  # the large ones would take hours
    "nvidia/segformer-b0-finetuned-ade-512-512",
    "torchvision/deeplabv3_mobilenet_v3_large",
    "torchvision/lraspp_mobilenet_v3_large",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("--model", nargs="+", action="extend", type=_spec, default=[], metavar="KEY")
    parser.add_argument("--size", nargs="+", type=_size, default=[(480, 640)], metavar="HxW", help="in pixels")
    parser.add_argument("--batch", nargs="+", type=int, default=[1], metavar="N")
    parser.add_argument("--precision", nargs="+", default=["fp32"], choices=("fp32", "bf16", "fp16"), metavar="P")
    parser.add_argument("--untrained", action="store_true", help="architectures alone, with no weights to download")
    parser.add_argument(
        "--way",
        nargs="+",
        default=["default"],
        choices=WAYS,
        metavar="W",
        help="default (as the app runs it), compile (torch.compile), channels-last or contiguous memory",
    )
    extras_arguments.add(parser, several=True)
    parser.add_argument("--threads", type=int, metavar="N", help="of the CPU; as many as it has cores unless told")
    parser.add_argument("--memory", action="store_true", help="on a CPU, too: each case in a process of its own")
    parser.add_argument("--suite", choices=("standard",), help="the set that benchmarks/reference/ holds")
    parser.add_argument("--rounds", type=int, default=benchmark.ROUNDS, metavar="N")
    parser.add_argument("--device", default="auto", help="auto (the default), cpu, cuda, cuda:1 or mps")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all samples")


def run(args: argparse.Namespace) -> int:
    """Measure, print a table, keep the run. Returns the exit code."""
    faults = Faults()
    if not args.model and not args.suite:
        faults.tell("Name models with --model KEY, or run --suite standard.")
        return 2
    with faults.told_of(""):
        report = _measured(_cases(args), args)
        for measurement in report.measurements:
            if measurement.problem:
                faults.tell(f"{measurement.case.model}: {measurement.problem}")
        print(table(report))
        if args.json:
            args.json.write_text(report.text(), encoding="utf-8")
        Results().keep_benchmark(report.text())
    return faults.code


def standard(device: str) -> list[Case]:
    """The standard suite of a kind of device: on a GPU the published architectures, on a CPU what it can bear."""
    if device == "cpu":
        starters = [Case(key, (512, 512)) for key in _STARTERS]
        return starters + [Case(key, (512, 512), untrained=True) for key in _ON_A_CPU]
    ways = product(_PUBLISHED, (512, 1024), (1, 8, 32), ("fp32", "bf16"))
    return [Case(key, (side, side), batch, precision, untrained=True) for key, side, batch, precision in ways]  # type: ignore[arg-type]


def table(report: Report) -> str:
    """The report as lines of text: the environment, then a row per case; ranks only where they are beyond doubt."""
    where = report.environment
    head = f"{where.device}, {where.threads} threads, torch {where.torch}, {report.rounds} rounds in turns"
    ranks = benchmark.places(report.measurements)
    rows: list[tuple[str, ...]] = [
        ("MODEL", "SIZE", "BATCH", "PRECISION", "MEDIAN", "95 % INTERVAL", "FORWARD", "PER S", "GMACS", "RANK")
    ]
    measured = [one for one in zip(report.measurements, ranks, strict=True) if one[0].samples]
    rows += [_row(one, rank) for one, rank in measured]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    notes = dict.fromkeys(f"{one.case.model}: {one.findings}" for one, _ in measured if one.findings)
    return "\n".join([head, *lines, *notes])


def _row(measurement: Measurement, rank: int | None) -> tuple[str, ...]:
    case, total = measurement.case, measurement.summary()
    height, width = case.size_hw
    return (
        f"{case.model}{''.join(f' ({mark})' for mark in _marks(case))}",
        f"{height}x{width}",
        str(case.batch),
        case.precision,
        words.duration(total.p50_s),
        f"{words.duration(total.low_s)} to {words.duration(total.high_s)}" if total.calls > 5 else "–",
        words.duration(measurement.summary("forward").p50_s),
        f"{measurement.pictures_per_s():.2f}",
        "–" if math.isnan(measurement.gmacs) else f"{measurement.gmacs:.2f}",
        "?" if rank is None else str(rank),
    )


def _marks(case: Case) -> list[str]:
    """What is unusual about a case."""
    marks = ("untrained" if case.untrained else "", "" if case.way == "default" else case.way, str(case.extras))
    return [mark for mark in marks if mark]


def _cases(args: argparse.Namespace) -> list[Case]:
    if args.suite:
        chosen = {spec.key for spec in args.model}
        return [case for case in standard(devices.choose(args.device)) if not chosen or case.model in chosen]
    ways: Sequence[tuple[ModelSpec, tuple[int, int], int, str, str, Extras]] = list(
        product(args.model, args.size, args.batch, args.precision, args.way, extras_arguments.all_of(args))
    )
    return [
        Case(spec.key, size, batch, precision, args.untrained, way, extras)  # type: ignore[arg-type]
        for spec, size, batch, precision, way, extras in ways
    ]


def _measured(cases: Sequence[Case], args: argparse.Namespace) -> Report:
    if args.threads:
        devices.use_threads(args.threads)
    try:
        with ProgressBar("Benchmark", "calls") as bar:
            for progress in benchmark.run(cases, args.device, args.rounds, memory=args.memory):
                bar(progress.done, progress.total)
    except ValueError as error:
        raise SegdemoError(f"{error}.") from error
    if progress.report is None:
        raise SegdemoError("The benchmark has nothing to measure.")
    return progress.report


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,5})[x×](\d{1,5})", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write height x width, such as 512x1024")
    return int(found[1]), int(found[2])


def _spec(key: str) -> ModelSpec:
    try:
        return found.named(key)
    except SegdemoError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
