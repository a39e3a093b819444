"""What one call of a model takes on a CPU beyond its process's memory before, each case in a process of its own.

    python -m segdemo.benchmark_memory CASE ROW

A process keeps what it has freed: within one, the same model takes 50 MB or nothing by what ran before it.
"""

import json
import subprocess
import sys
from dataclasses import asdict
from typing import Final

from segdemo import devices
from segdemo.benchmark_case import Case, call, decoded, load, of_record, picture_file
from segdemo.models import catalog
from segdemo.models.spec import ModelSpec

_SMALL_HW: Final = (64, 64)  # a call at this size brings the libraries' own code into memory
_PATIENCE_S: Final = 600


def peak_bytes(case: Case) -> int | None:
    """The peak of the process in one call less what it held before; None where that cannot be had."""
    command = [sys.executable, "-m", "segdemo.benchmark_memory", json.dumps(asdict(case))]
    command.append(json.dumps(catalog.find(case.model).record()))  # which may be in this process's registry alone
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=True)
        return int(done.stdout.split()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None


def _main(text: str, row: str) -> None:
    catalog.register(ModelSpec.parse(json.loads(row)))
    case = of_record(json.loads(text))
    model = load(case, "cpu")
    call(model, decoded(picture_file(_SMALL_HW), 1)[0])
    pictures, _ = decoded(picture_file(case.size_hw), case.batch)
    if not devices.reset_peak_memory("cpu"):
        return
    before = devices.peak_memory_bytes("cpu")
    call(model, pictures, case.extras)
    peak = devices.peak_memory_bytes("cpu")
    if before is not None and peak is not None:
        print(peak - before)


if __name__ == "__main__":
    _main(*sys.argv[1:])
