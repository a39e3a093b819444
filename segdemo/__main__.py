"""The command line: `python -m segdemo models | predict | evaluate | benchmark | fetch | train`.

Exit codes: 0 fine; 1 something failed (one line each on standard error, the rest still done); 2 wrong use;
130 interrupted. The commands import the heavy libraries that they need, so that all else answers at once.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from segdemo import __version__, extras_arguments
from segdemo.confusion import Convention
from segdemo.errors import ModelError
from segdemo.extras import Extras
from segdemo.models import catalog
from segdemo.models.spec import ModelSpec
from segdemo.terminal import Faults, ProgressBar

if TYPE_CHECKING:
    from segdemo.datasets import Dataset
    from segdemo.evaluate import EvaluationProgress
    from segdemo.images import InputImage
    from segdemo.models import Model
    from segdemo.results import Results, Run
    from segdemo.scoreboard import RunScores


_MODEL_HELP: Final = "a key that `models` lists, an id of the Hugging Face hub (owner/name[@revision]), or a path"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; on wrong use argparse raises `SystemExit(2)`."""
    words = sys.argv[1:] if argv is None else argv
    faults = Faults()
    code = 0
    try:
        with faults.told_of():
            args = _parser(words).parse_args(words)
            code = args.run(args)
            sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Our reader has left, as `head` does; nothing may reach the closed pipe at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code or faults.code


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m segdemo", description="Segment pictures with models of many families."
    )
    parser.add_argument("--version", action="version", version=f"segdemo {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    models = commands.add_parser("models", help="list the models")
    models.add_argument("--json", action="store_true", help="all that is known of them, as JSON")
    models.set_defaults(run=_models)

    predict = commands.add_parser("predict", help="segment pictures: label map, overlay and JSON of each")
    predict.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    predict.add_argument(
        "--model", nargs="+", action="extend", required=True, type=_spec, metavar="KEY", help=_MODEL_HELP
    )
    predict.add_argument("--out", required=True, type=Path, metavar="DIR", help="made if it is not there")
    predict.add_argument("--device", default="auto", help="auto (the default), cpu, cuda, cuda:1 or mps")
    predict.add_argument("--precision", default="fp32", choices=("fp32", "bf16", "fp16"))
    extras_arguments.add(predict)
    predict.set_defaults(run=_predict)

    evaluate = commands.add_parser("evaluate", help="score models on labelled pictures")
    evaluate.add_argument("dataset", help="a folder, a zip archive, a JSON table of COCO's, or street-scenes:COUNT")
    evaluate.add_argument(
        "--model", nargs="+", action="extend", required=True, type=_spec, metavar="KEY", help=_MODEL_HELP
    )
    evaluate.add_argument("--convention", default="mmsegmentation", choices=get_args(Convention))
    evaluate.add_argument("--limit", type=_count, metavar="N", help="the first N pictures only")
    evaluate.add_argument("--device", default="auto", help="auto (the default), cpu, cuda, cuda:1 or mps")
    evaluate.add_argument("--precision", default="fp32", choices=("fp32", "bf16", "fp16"))
    extras_arguments.add(evaluate)
    evaluate.add_argument("--engine", default="serial", choices=("serial", "ray"), help="ray: on a cluster of Ray's")
    evaluate.add_argument(
        "--ray-address", metavar="HOST:PORT", help="of the cluster (default: RAY_ADDRESS, else this machine alone)"
    )
    evaluate.add_argument("--json", type=Path, metavar="FILE", help="all scores")
    evaluate.add_argument("--csv", type=Path, metavar="FILE", help="the scores of each class")
    evaluate.set_defaults(run=_evaluate)

    bench = commands.add_parser("benchmark", help="time models: stages, memory, throughput")
    if words[:1] == ["benchmark"]:
        from segdemo import benchmark_cli

        benchmark_cli.add_arguments(bench)
        bench.set_defaults(run=benchmark_cli.run)

    fetch = commands.add_parser("fetch", help="download the weights of models ahead of their use")
    fetch.add_argument("keys", nargs="+", type=_spec, metavar="KEY", help=_MODEL_HELP)
    fetch.set_defaults(run=_fetch)

    train = commands.add_parser("train", help="train a model from a recipe")
    if words[:1] == ["train"]:
        from segdemo.training import cli

        cli.add_arguments(train)
        train.set_defaults(run=cli.run)
    return parser


def _spec(name: str) -> ModelSpec:
    from segdemo.models import found

    try:
        return found.named(name)
    except ModelError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _models(args: argparse.Namespace) -> int:
    if args.json:
        print(json.dumps([_record(spec) for spec in catalog.CATALOG], indent=1, ensure_ascii=False))
        return 0
    rows = [("KEY", "TASK", "LABELS", "WEIGHTS")]
    rows += [(spec.key, spec.task, spec.space.name, _weights(spec)) for spec in catalog.CATALOG]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _record(spec: ModelSpec) -> dict[str, Any]:
    from segdemo.models import weights

    space = {"name": spec.space.name, "classes": spec.space.classes, "things": sorted(spec.space.things)}
    return {**asdict(spec), "space": space, "weights": weights.state(spec)}


def _weights(spec: ModelSpec) -> str:
    from segdemo.models import weights

    state = weights.state(spec)
    if state == "absent" and spec.download_bytes:
        return f"{spec.download_bytes / 1e6:.0f} MB to download"
    return state


def _predict(args: argparse.Namespace) -> int:
    from segdemo import devices

    faults = Faults()
    pictures: dict[Path, str] = {}
    with faults.told_of(str(args.out)):
        _make_writable(args.out)
        pictures = _readable(args.images, faults)
    if not pictures:
        return faults.code
    try:
        devices.check_precision(devices.choose(args.device), args.precision)
    except ModelError as error:
        faults.tell(str(error))
        return 2
    for spec in dict.fromkeys(args.model):
        with faults.told_of(spec.key):
            _run(spec, pictures, args, faults)
    return faults.code


def _readable(paths: Sequence[Path], faults: Faults) -> dict[Path, str]:
    """The pictures that can be decoded, with the stems of their files.

    They are decoded before a model is loaded or fetched for them, and again for each model: kept decoded, a
    few hundred would not fit into memory.
    """
    from segdemo import exports

    different = list(dict.fromkeys(paths))
    pictures = {}
    for path, stem in zip(different, exports.safe_stems([path.name for path in different]), strict=True):
        with faults.told_of(str(path)):
            _decode(path)
            pictures[path] = stem
    return pictures


def _run(spec: ModelSpec, pictures: dict[Path, str], args: argparse.Namespace, faults: Faults) -> None:
    from segdemo import models

    extras = extras_arguments.of(args)
    extras.check(spec.key, spec.task)
    with ProgressBar(spec.key) as bar:
        model = models.load(spec.key, args.device, args.precision, progress=bar)
    for path, stem in pictures.items():
        with faults.told_of(f"{path}, {spec.key}"):
            seconds = _write_answer(model, path, args.out, stem, extras)
            print(f"{path}  {spec.key}  {seconds:.2f} s", flush=True)


def _write_answer(model: "Model", path: Path, folder: Path, stem: str, extras: Extras) -> float:
    """Run the model on the picture and write the three files; the seconds that its stages took."""
    from segdemo import exports, models

    image = _decode(path)
    [prediction] = models.predict(model, [image], extras=extras)
    entry = exports.Entry(prediction, image, model.spec, model.device, model.precision)
    for name, data in exports.result_files(entry, stem).items():
        _write(folder / name, data)
    return prediction.times.total_s


def _decode(path: Path) -> "InputImage":
    from segdemo import images

    return images.decode(path.read_bytes(), path.name)


def _make_writable(folder: Path) -> None:
    """Make the folder and try it, so that nothing is computed that could not be kept. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


def _write(path: Path, data: bytes) -> None:
    """The whole file or none: a full disk or an interruption leaves no half one."""
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of pictures; give 1 or more.")
    return number


def _evaluate(args: argparse.Namespace) -> int:
    from segdemo import devices, scoreboard
    from segdemo.datasets import open_dataset
    from segdemo.results import Results

    faults = Faults()
    if args.engine == "serial" and args.ray_address:
        faults.tell("--ray-address is of use with --engine ray only.")
        return 2
    try:
        if args.engine == "serial":  # a cluster may have devices that this machine lacks
            devices.check_precision(devices.choose(args.device), args.precision)
    except ModelError as error:
        faults.tell(str(error))
        return 2
    runs = []
    with faults.told_of(args.dataset):
        dataset, results = open_dataset(args.dataset), Results()
        for left_out in dataset.skipped:
            faults.tell(f"{left_out.name} {left_out.reason}")
        with faults.told_of(f"--engine {args.engine}"), _connected(args):
            for spec in dict.fromkeys(args.model):
                with faults.told_of(spec.key):
                    runs.append(scoreboard.gather(results, _run_over(dataset, spec, results, args)))
    for run in runs:
        for name, reason in run.skipped:
            faults.tell(f"{run.run.identity.model}: {reason}" if name in reason else f"{name}: {reason}")
    if runs:
        _show(scoreboard.report(runs, args.convention), runs, args, faults)
    return faults.code


def _connected(args: argparse.Namespace) -> AbstractContextManager[None]:
    """The connection that the engine needs, kept for all models."""
    if args.engine == "serial":
        return nullcontext()
    from segdemo.evaluate_on_ray import cluster

    return cluster(args.ray_address)


def _run_over(dataset: "Dataset", spec: ModelSpec, results: "Results", args: argparse.Namespace) -> "Run":
    """Evaluate the model with a progress bar; its run."""
    engine = _serially if args.engine == "serial" else _on_ray
    with ProgressBar(spec.key, "pictures") as bar:
        for progress in engine(dataset, spec, results, args):
            bar(progress.done, progress.pictures)
    return progress.run


def _serially(
    dataset: "Dataset", spec: ModelSpec, results: "Results", args: argparse.Namespace
) -> "Iterator[EvaluationProgress]":
    from segdemo import models
    from segdemo.evaluate import SCORE_THRESHOLD, evaluate

    extras = extras_arguments.of(args)
    extras.check(spec.key, spec.task)
    with ProgressBar(spec.key) as bar:
        model = models.load(spec.key, args.device, args.precision, progress=bar, score_threshold=SCORE_THRESHOLD)
    return evaluate(model, dataset, results, args.limit, extras)


def _on_ray(
    dataset: "Dataset", spec: ModelSpec, results: "Results", args: argparse.Namespace
) -> "Iterator[EvaluationProgress]":
    from segdemo.evaluate_on_ray import evaluate_on_ray

    extras = extras_arguments.of(args)
    return evaluate_on_ray(spec, dataset, args.dataset, results, args.limit, args.device, args.precision, extras)


def _show(report: dict[str, Any], runs: "list[RunScores]", args: argparse.Namespace, faults: Faults) -> None:
    from segdemo import scoreboard

    print(f"{report['dataset']}, {report['images']} pictures, mean IoU by the convention of {report['convention']}")
    for row in sorted(report["models"], key=lambda row: -(row["mean_iou"] or 0)):
        low, high = row["mean_iou_interval"] or (None, None)
        print(f"{row['model']}  {_percent(row['mean_iou'])}  95 % interval {_percent(low)} to {_percent(high)}")
    for file, text in ((args.json, json.dumps(report, indent=1)), (args.csv, scoreboard.class_table(runs))):
        if file is not None:
            with faults.told_of(str(file)):
                _write(file, text.encode())


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.1f} %"


def _fetch(args: argparse.Namespace) -> int:
    from segdemo.models import weights

    faults = Faults()
    for spec in dict.fromkeys(args.keys):
        with faults.told_of(spec.key):
            with ProgressBar(spec.key) as bar:
                path = weights.fetch(spec, bar)
            print(f"{spec.key}: {path}", flush=True)
    return faults.code


if __name__ == "__main__":
    # File names may hold characters that the terminal's encoding lacks.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.exit(main())
