"""What the libraries hold is spared from garbage collection.

Streamlit collects after every run of a page, while progress is shown several times a second. torch, transformers and
plotly keep half a million objects for as long as the process lives; looking through them takes half a second, in which
nothing else runs: no page, no model.
"""

import atexit
import gc
import sys

atexit.register(gc.unfreeze)  # libraries complain of what is left when the process ends

_modules = 0  # how many there were when objects were spared last


def spare_libraries() -> None:
    """Take all that is there out of later collections, where libraries were imported since this was last done."""
    global _modules
    if len(sys.modules) == _modules:
        return
    _modules = len(sys.modules)
    gc.collect()  # what is spared is never collected
    gc.freeze()
