"""Write docs/architectures.md from what was measured: `python -m benchmarks.architectures`.

Scores come from the starters' records (benchmarks/starters.py --write), times, sizes and multiply-accumulates from the
reference run on two cores (python -m segdemo benchmark --suite standard), published figures from the catalogue.
"""

import json
from pathlib import Path

from segdemo import benchmark, words
from segdemo.benchmark import Measurement
from segdemo.models import weights
from segdemo.models.catalog import CATALOG
from segdemo.models.families import FAMILIES
from segdemo.models.spec import ModelSpec

PAGE = Path(__file__).parents[1] / "docs" / "architectures.md"
REFERENCE = benchmark.REFERENCE / "cpu_2_cores.json"

_HEAD = """# Architectures, measured and published

Written by `python -m benchmarks.architectures`; nothing here is typed by hand.

## The starters, measured here

Small networks, trained from scratch on the same few hundred photographs and generated scenes. Their scores say how
these files do on these pictures, not how good an architecture can get. Mean IoU (MMSegmentation's convention) and
boundary IoU (2 % of the diagonal) on CamVid val, 101 photographs of 480×360. Times: median of the whole way from a
decoded picture of 512×512 to its answer, on {device}, {threads} threads, fp32, torch {torch}. Mask R-CNN's scores are
over the three classes of things that it knows, the others' over all eleven.

| starter | introduced | parameters | file | GMACs | mean IoU | boundary IoU | time |
|---|---|---|---|---|---|---|---|
"""
_PUBLISHED = """
## Published, each with its own protocol

As authors or maintainers print them, not measured here, and not comparable where data set or protocol differ.

| model | metric | % | data set | protocol | source |
|---|---|---|---|---|---|
"""


def main() -> None:
    report = benchmark.parse(REFERENCE.read_text(encoding="utf-8"))
    measured = {one.case.model: one for one in report.measurements}
    where = report.environment
    rows = [_starter(spec, measured.get(spec.key)) for spec in CATALOG if spec.source == "starter"]
    figures = [
        (spec.title, figure.metric, f"{figure.value:g}", figure.dataset, figure.protocol, figure.source)
        for spec in CATALOG
        for figure in spec.published
    ]
    head = _HEAD.format(device=where.device, threads=where.threads, torch=where.torch)
    PAGE.write_text(head + _lines(rows) + _PUBLISHED + _lines(figures), encoding="utf-8")
    print(PAGE.read_text(encoding="utf-8"))


def _starter(spec: ModelSpec, measured: Measurement | None) -> tuple[str, ...]:
    folder = weights.fetch(spec)
    scores = json.loads((folder / "record.json").read_text(encoding="utf-8"))["scores"]
    year = next((family.year for family in FAMILIES if family.name == spec.family), spec.year)
    size = words.size(sum(file.stat().st_size for file in folder.glob("*.safetensors")))
    if measured is None:
        parameters = gmacs = took = "–"
    else:
        parameters, gmacs = f"{measured.parameters / 1e6:.2f} M", f"{measured.gmacs:.2f}"
        took = words.duration(measured.summary().p50_s)
    shares = (f"{scores[name]:.3f}" for name in ("camvid_val_mean_iou", "camvid_val_boundary_iou"))
    return spec.title.removesuffix(" starter"), str(year), parameters, size, gmacs, *shares, took


def _lines(rows: list[tuple[str, ...]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


if __name__ == "__main__":
    main()
