"""How long models took in this process, so that a person can be told how long they will take now."""

import sys
from threading import Lock
from typing import Final

from segdemo.models.spec import ModelSpec

# Seconds to import on one core of a server; without a library in memory they are most of a first load.
_IMPORTS_S: Final = {
    "torchvision": {"torch": 2.5, "torchvision": 2.0},
    "transformers": {"torch": 2.5, "transformers": 2.0},
    "torch": {"torch": 2.5, "segmentation_models_pytorch": 1.0},
    "smp": {"torch": 2.5, "transformers": 2.0, "segmentation_models_pytorch": 1.0},
}
_KEPT: Final = 256

_seconds: dict[tuple[object, ...], float] = {}
_lock = Lock()


def imports_s(spec: ModelSpec) -> float:
    """About how long importing takes before this model can be loaded; 0 where all is in memory."""
    return sum(s for module, s in _IMPORTS_S[spec.library].items() if module not in sys.modules)


def usual_s(*what: object) -> float | None:
    """How long this took when it was last done; None if it was not."""
    return _seconds.get(what)


def remember(seconds: float, *what: object) -> None:
    """Keep how long this took. The oldest of many are forgotten."""
    with _lock:
        _seconds.pop(what, None)
        _seconds[what] = seconds
        if len(_seconds) > _KEPT:
            del _seconds[next(iter(_seconds))]
