"""Workers that run tests beside each other (`pytest -n 2`) share the cores."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:
    # OpenMP's threads wait for each other by spinning, which would keep the other worker's from a core. Read when torch
    # is imported.
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
