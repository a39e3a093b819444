"""Numbers as people read them, the same everywhere."""


def size(n_bytes: int) -> str:
    """Bytes in the unit a person reads: "170 MB"."""
    if n_bytes >= 1e9:
        return f"{n_bytes / 1e9:.1f} GB"
    return f"{max(1, round(n_bytes / 1e6))} MB"


def duration(seconds: float) -> str:
    """Seconds as "83 ms", "1.24 s", "2 min 5 s"."""
    if seconds < 1:
        return f"{seconds * 1e3:.0f} ms" if seconds >= 0.01 else f"{seconds * 1e3:.1f} ms"
    if seconds < 100:
        return f"{seconds:.3g} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def wait(seconds: float) -> str:
    """A time to wait, no finer than a person counts: "4 s", "3 min"."""
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{round(seconds / 60)} min"


def percent(fraction: float) -> str:
    """A fraction as "31.2 %"; what is there but tiny is not called zero."""
    return "< 0.1 %" if 0 < fraction < 0.001 else f"{100 * fraction:.1f} %"
