"""Where models run: choosing a device, waiting for it, its memory, and a record of the environment.

A device is named as torch names it ("cpu", "cuda:0", "mps"). torch is imported inside the functions: the
catalogue and the command line's help must not wait seconds for it.
"""

import ctypes
import gc
import math
import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

from segdemo.errors import ModelError

PRECISIONS: Final = ("fp32", "bf16", "fp16")

# How torch's allocators say it where they raise a plain RuntimeError (CPU, cuBLAS, MPS, a failed C++ `new`).
_OUT_OF_MEMORY: Final = re.compile(
    r"out of memory|not enough memory|can't allocate memory|alloc_failed|bad[_ ]alloc", re.IGNORECASE
)


# glibc's mallopt: blocks below 1 GiB come from its heaps, 1 GiB may stay free at a heap's end, heaps grow by 64 MiB,
# and there are 4 at most, however many threads: M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_TOP_PAD, M_ARENA_MAX.
_KEPT: Final = {-3: 1 << 30, -1: 1 << 30, -2: 64 << 20, -8: 4}

_FAST_BF16: Final = frozenset({"amx_bf16", "avx512_bf16"})  # as Linux names them
_OMP_PAUSE_SOFT: Final = 1  # OpenMP 5.0, section 3.2.46


@dataclass(frozen=True)
class Environment:
    """What a measurement ran on. A version is None where the library, or the GPU, is not there."""

    device: str  # as `describe` names it
    torch: str | None
    torchvision: str | None
    transformers: str | None
    python: str
    platform: str
    threads: int  # as `threads` tells
    cuda: str | None
    driver: str | None
    governor: str | None = None  # how a CPU's clock is governed: "performance" keeps it up


def available() -> tuple[str, ...]:
    """The devices of this machine, fastest first; the CPU is always there and last."""
    import torch

    cuda = tuple(f"cuda:{i}" for i in range(torch.cuda.device_count())) if torch.cuda.is_available() else ()
    mps = ("mps",) if torch.backends.mps.is_available() else ()
    return (*cuda, *mps, "cpu")


def choose(device: str = "auto") -> str:
    """The device's one name: "auto" is the first of `available()`, "cuda" is "cuda:0".

    Raises `ModelError` where there is no such device, naming those that there are.
    """
    names = available()
    if device == "auto":
        return names[0]
    name = "cuda:0" if device == "cuda" else device
    if name not in names:
        raise ModelError(f"This machine has no device {device!r}; choose one of: auto, {', '.join(names)}.")
    return name


def check_precision(device: str, precision: str) -> None:
    """fp32 runs everywhere, bf16 on the CPU and on GPUs that have it, fp16 on GPUs.

    device: a name from `choose`. Raises `ModelError` where it cannot run `precision` or that is no precision.
    """
    if precision not in PRECISIONS:
        raise ModelError(f"There is no precision {precision!r}; choose one of: {', '.join(PRECISIONS)}.")
    if precision == "fp16" and device == "cpu":
        raise ModelError("fp16 runs on GPUs only; on the CPU choose fp32 or bf16.")
    if precision == "bf16" and not _has_bf16(device):
        raise ModelError(f"{describe(device)} has no bf16; choose fp16 or fp32.")


@cache
def threads() -> int:
    """torch's threads within one operator on the CPU, as they were when this was first asked."""
    import torch

    return torch.get_num_threads()


def use_threads(count: int) -> None:
    """Let torch use this many threads on the CPU in this process. Raises `ModelError` for fewer than one."""
    import torch

    if count < 1:
        raise ModelError(f"A CPU needs 1 thread or more, not {count}.")
    torch.set_num_threads(count)
    threads.cache_clear()


@cache
def keep_pages() -> None:
    """Let this process keep the memory that tensors on the CPU leave, up to 1 GiB at each heap's end; glibc only.

    As it comes, glibc hands large blocks back at once, and the kernel clears each of their pages again for the next
    run: up to a fifth of its time. `free_memory` gives back what is kept.
    """
    libc = _glibc()
    if libc is not None:
        for setting, value in _KEPT.items():
            libc.mallopt(setting, value)


@contextmanager
def inference(device: str, side_by_side: int = 1) -> Iterator[None]:
    """The context every stage runs in: no gradients, and among several GPUs this one is the current one.

    Its threads end with it (`release_threads`).

    side_by_side: among how many threads the CPU's cores are shared.
    """
    import torch

    # The number belongs to the calling thread in part and to the process in part: every run sets its own.
    torch.set_num_threads(max(1, threads() // side_by_side))
    current = torch.cuda.device(device) if device.startswith("cuda") else nullcontext()
    try:
        with torch.inference_mode(), current:
            yield
    finally:
        release_threads()


def release_threads() -> None:
    """End the threads that OpenMP keeps for the one that calls this; the next operator that needs them starts new ones.

    Each thread that has run something in parallel has a team of its own. As soon as there are more of them than cores,
    GNU's OpenMP lets none wait awake, and whoever runs a network then waits for threads to wake up at every operator.
    """
    runtime = _gnu_openmp()
    if runtime is not None:
        runtime.omp_pause_resource_all(_OMP_PAUSE_SOFT)


def synchronise(device: str) -> None:
    """Wait until the device has done all it was given; a clock read earlier times the queue, not the work."""
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    elif device == "mps":
        torch.mps.synchronize()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the error says that memory ran out, the device's or the machine's."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and _OUT_OF_MEMORY.search(str(error)) is not None


def free_memory(device: str) -> None:
    """Give back what nothing uses: unreachable objects, then the blocks that torch keeps for later."""
    import torch

    gc.collect()
    return_pages()
    if device.startswith("cuda"):
        with torch.cuda.device(device):
            torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()


def reset_peak_memory(device: str) -> bool:
    """Start `peak_memory_bytes` afresh from what is in use now; False where the system does not allow it."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.reset_peak_memory_stats(device)
        return True
    if device == "cpu":
        return_pages()
        try:
            Path("/proc/self/clear_refs").write_text("5")  # 5: reset the high-water mark and nothing else
        except OSError:
            return False
        return True
    return False


def peak_memory_bytes(device: str) -> int | None:
    """The most memory in use since `reset_peak_memory`, in bytes; None where the system does not tell.

    CUDA: what torch's tensors took on the device, without torch's cache and CUDA's own context. CPU: the
    resident memory of the whole process, libraries and weights included, to within a MiB or so (the kernel's
    own precision); a run's own share is the peak less the peak read right after the reset.
    """
    if device.startswith("cuda"):
        import torch

        return torch.cuda.max_memory_allocated(device)
    if device == "cpu":
        kilobytes = _field("/proc/self/status", "VmHWM")
        return int(kilobytes.removesuffix(" kB")) * 1024 if kilobytes else None
    return None


def reserved_memory_bytes(device: str) -> int | None:
    """The most memory that torch has taken from a GPU since `reset_peak_memory`, its cache included; None elsewhere."""
    if not device.startswith("cuda"):
        return None
    import torch

    return torch.cuda.max_memory_reserved(device)


def matrix_rate(device: str, precision: str) -> float:
    """Multiply-accumulates a second of a large product of square matrices, the best of several; NaN where it fails."""
    import torch

    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    side = 8192 if device.startswith("cuda") else 1024
    best = math.inf
    try:
        with inference(device):
            matrix = torch.randn(side, side, device=device, dtype=dtype)
            for _ in range(5):
                synchronise(device)
                start = time.perf_counter()
                matrix @ matrix
                synchronise(device)
                best = min(best, time.perf_counter() - start)
    except RuntimeError:
        return math.nan
    return side**3 / best


def describe(device: str) -> str:
    """The device's name for people: "NVIDIA H200", "AMD EPYC (2 cores)"."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.get_device_name(device)
    if device == "mps":
        return "Apple GPU"
    name = _field("/proc/cpuinfo", "model name") or platform.processor() or platform.machine() or "CPU"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return f"{name} ({cores} core{'s' if cores != 1 else ''})"


def environment(device: str) -> Environment:
    """A record of the device and of every version that a measurement depends on."""
    import torch

    on_cuda = device.startswith("cuda")
    return Environment(
        device=describe(device),
        torch=_version("torch"),
        torchvision=_version("torchvision"),
        transformers=_version("transformers"),
        python=platform.python_version(),
        platform=platform.platform(),
        threads=threads(),
        cuda=torch.version.cuda if on_cuda else None,
        driver=_driver() if on_cuda else None,
        governor=_governor(),
    )


def _has_bf16(device: str) -> bool:
    import torch

    if device.startswith("cuda"):
        with torch.cuda.device(device):
            return torch.cuda.is_bf16_supported(including_emulation=False)
    return device == "cpu" or torch.backends.mps.is_macos_or_newer(14, 0)


@cache
def has_fast_bf16(device: str) -> bool:
    """Whether a CPU has instructions that multiply and add bf16, for vectors or matrices; False for all other devices.

    device: a name from `choose`. Without them bf16 is slower than fp32, or no faster.
    """
    return device == "cpu" and not _FAST_BF16.isdisjoint((_field("/proc/cpuinfo", "flags") or "").split())


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)  # asking the package itself would import it, which takes seconds
    except metadata.PackageNotFoundError:
        return None


def _driver() -> str | None:
    """The NVIDIA driver's version; all GPUs of a machine share it."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return None
    query = [command, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.partition("\n")[0].strip() or None


def _governor() -> str | None:
    """What Linux tells of the first core; None on other systems and in most virtual machines."""
    try:
        return Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").read_text().strip() or None
    except OSError:
        return None


def _field(path: str, name: str) -> str | None:
    """The first value of a field in one of Linux's "name: value" files; None on other systems."""
    try:
        text = Path(path).read_text(errors="replace")
    except OSError:
        return None
    found = re.search(rf"^{name}\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else None


@cache
def _gnu_openmp() -> ctypes.CDLL | None:
    """The runtime that torch runs on with Linux's packages; others, whose pause is another, are left alone."""
    try:
        runtime = ctypes.CDLL("libgomp.so.1")
    except OSError:
        return None
    return runtime if hasattr(runtime, "omp_pause_resource_all") else None


def return_pages() -> None:
    """Give the system what `keep_pages` kept."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    """The C library of this process, if it is glibc's."""
    if platform.libc_ver()[0] != "glibc":
        return None
    return ctypes.CDLL(None)
