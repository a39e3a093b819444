"""Devices: what there is, what it can do, and what it remembers."""

import platform
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from segdemo import devices
from segdemo.errors import ModelError

MIB = 2**20


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


def test_importing_the_module_does_not_import_torch():
    code = "import sys, segdemo.devices; print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


def test_the_cpu_is_always_there():
    assert devices.available()[-1] == "cpu"
    assert devices.choose("cpu") == "cpu"


def test_auto_takes_the_first_gpu(two_gpus):
    assert devices.available()[:2] == ("cuda:0", "cuda:1")
    assert devices.choose("auto") == "cuda:0"


def test_a_gpu_has_one_name(two_gpus):
    assert devices.choose("cuda") == devices.choose("cuda:0") == "cuda:0"
    assert devices.choose("cuda:1") == "cuda:1"


@pytest.mark.parametrize("device", ["cuda:2", "tpu", "", "cuda:-1", "CPU"])
def test_a_missing_device_is_refused_naming_those_that_are_there(device, two_gpus):
    with pytest.raises(ModelError, match="auto, cuda:0, cuda:1"):
        devices.choose(device)


def test_the_cpu_runs_fp32_and_bf16():
    devices.check_precision("cpu", "fp32")
    devices.check_precision("cpu", "bf16")


def test_fp16_on_the_cpu_is_refused_with_a_way_out():
    with pytest.raises(ModelError, match="fp32 or bf16"):
        devices.check_precision("cpu", "fp16")


def test_an_unknown_precision_is_refused_naming_the_known_ones():
    with pytest.raises(ModelError, match="int8.*fp32, bf16, fp16"):
        devices.check_precision("cpu", "int8")


@pytest.mark.parametrize(
    ("flags", "has_them"),
    [("fpu avx2 amx_bf16 amx_tile", True), ("fpu avx2 avx512f avx512_bf16", True), ("fpu avx2 avx512f", False)],
)
def test_instructions_for_bf16_are_told_by_the_processors_flags(flags, has_them, monkeypatch):
    monkeypatch.setattr(devices, "_field", lambda path, name: flags)
    assert devices.has_fast_bf16.__wrapped__("cpu") == has_them
    assert not devices.has_fast_bf16.__wrapped__("cuda:0")


def test_inference_records_no_gradients():
    weight = torch.ones(2, requires_grad=True)
    with devices.inference("cpu"):
        assert torch.is_inference_mode_enabled()
        assert not (weight * 2).requires_grad
    assert not torch.is_inference_mode_enabled()


def test_waiting_for_the_cpu_and_freeing_its_memory_do_nothing_harmful():
    devices.synchronise("cpu")
    devices.free_memory("cpu")


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the system does not tell of threads")
def test_the_threads_of_a_run_end_with_it():
    code = """
import os, time, torch
from segdemo import devices

def threads():
    return len(os.listdir("/proc/self/task"))

torch.set_num_threads(2)
before = threads()
with devices.inference("cpu"):
    torch.ones(1 << 20).exp_()
    inside = threads()
for _ in range(500):  # the system's list is a little late
    if threads() > before:
        time.sleep(0.01)
print(inside - before, threads() - before)
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["1", "0"]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library decides for itself")
def test_pages_that_are_kept_are_not_cleared_again_until_they_are_given_back():
    code = """
import resource, torch
from segdemo import devices

def run():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    tensors = [torch.ones(MANY) for _ in range(4)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

MANY = 5 << 20  # 20 MiB each
devices.keep_pages()
print(run(), min(run() for _ in range(4)))
devices.free_memory("cpu")
print(run())
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    at_first, kept, given_back = map(int, answer.stdout.split())
    assert kept < at_first / 10
    assert kept < given_back / 10


def test_torchs_own_refusal_of_a_huge_tensor_is_out_of_memory():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50, dtype=torch.uint8)
    assert devices.is_out_of_memory(caught.value)


def test_numpys_own_refusal_of_a_huge_array_is_out_of_memory():
    with pytest.raises(MemoryError) as caught:
        np.empty(2**50, np.uint8)
    assert devices.is_out_of_memory(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("Allocation on device"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("MPS backend out of memory"),
        RuntimeError("std::bad_alloc"),
    ],
)
def test_every_way_of_saying_out_of_memory_is_understood(error):
    assert devices.is_out_of_memory(error)


@pytest.mark.parametrize("error", [RuntimeError("shape mismatch"), ValueError("out of memory"), KeyboardInterrupt()])
def test_other_errors_are_not_out_of_memory(error):
    assert not devices.is_out_of_memory(error)


def test_the_peak_follows_a_large_tensor_and_forgets_it_after_a_reset():
    if not devices.reset_peak_memory("cpu"):
        pytest.skip("this system does not reset a process's peak memory")
    before = devices.peak_memory_bytes("cpu")
    tensor = torch.ones(64 * MIB, dtype=torch.uint8)
    peak = devices.peak_memory_bytes("cpu")
    assert 60 * MIB < peak - before < 120 * MIB
    del tensor
    assert devices.peak_memory_bytes("cpu") > peak - 8 * MIB
    devices.reset_peak_memory("cpu")
    assert devices.peak_memory_bytes("cpu") < peak - 30 * MIB


def test_a_system_without_proc_gives_no_peak_and_still_names_the_cpu(monkeypatch):
    monkeypatch.setattr(devices, "_field", lambda path, name: None)
    assert devices.peak_memory_bytes("cpu") is None
    assert "core" in devices.describe("cpu")


def test_the_environment_names_the_device_and_every_version():
    record = devices.environment("cpu")
    assert record.device == devices.describe("cpu")
    assert record.torch.split("+")[0] == torch.__version__.split("+")[0]
    assert record.python == ".".join(map(str, sys.version_info[:3]))
    assert record.threads == devices.threads() >= 1
    assert record.cuda is None
    assert record.driver is None
    assert all(isinstance(getattr(record, f.name), str | int | None) for f in fields(record))


def test_a_package_that_is_not_installed_has_no_version():
    assert devices._version("no-such-package-anywhere") is None


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_runs_every_precision_counts_its_memory_and_says_what_it_is():
    device = devices.choose("cuda")
    devices.check_precision(device, "fp16")
    devices.reset_peak_memory(device)
    before = devices.peak_memory_bytes(device)
    with devices.inference(device):
        tensor = torch.ones(64 * MIB, dtype=torch.uint8, device=device)
        devices.synchronise(device)
    assert devices.peak_memory_bytes(device) - before == 64 * MIB
    del tensor
    devices.free_memory(device)
    assert devices.reset_peak_memory(device)
    assert devices.peak_memory_bytes(device) == before
    record = devices.environment(device)
    assert record.device == torch.cuda.get_device_name(0)
    assert record.cuda == torch.version.cuda
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50, dtype=torch.uint8, device=device)
    assert devices.is_out_of_memory(caught.value)
