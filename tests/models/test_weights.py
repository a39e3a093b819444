"""Weights: found on the disk, or fetched over HTTP from a real server that fails in every way a network can."""

import contextlib
import errno
import hashlib
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email.message import Message
from pathlib import Path
from typing import get_args

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import constants
from safetensors.numpy import load_file, save

from segdemo.errors import WeightsError
from segdemo.models import catalog, download, hub, web, weights
from tests.hub_server import HubServer

TENSOR = np.random.default_rng(0).normal(size=50_000).astype(np.float32)
TENSORS = save({"weight": TENSOR})  # 200 kB
CHECKPOINT = {"config.json": b'{"model_type": "tiny"}', "preprocessor_config.json": b"{}", "model.safetensors": TENSORS}
PTH = b"not really a pickle " * 10_000
PTH_NAME = f"tiny-{hashlib.sha256(PTH).hexdigest()[:8]}.pth"

TINY = replace(
    catalog.CATALOG[0], key="tiny", title="Tiny model", source="huggingface", checkpoint="acme/tiny",
    download_bytes=170_000_000,
)  # fmt: skip
VISION = replace(TINY, key="vision", title="Vision model", source="torchvision", checkpoint="Tiny_Weights.V1")


@pytest.fixture
def server(monkeypatch, tmp_path):
    with HubServer() as server:
        server.use(monkeypatch, tmp_path)
        server.add_repo("acme/tiny", CHECKPOINT)
        server.add_file(PTH_NAME, PTH)
        monkeypatch.setattr(weights, "TORCHVISION_FILES", {VISION.checkpoint: PTH_NAME})
        monkeypatch.setattr(web, "PAUSES_S", (0, 0))
        yield server


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(web, "TIMEOUT_S", 0.2)


@pytest.fixture
def checkpoints(monkeypatch, tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    monkeypatch.setenv("SEGDEMO_CHECKPOINTS", str(folder))
    return folder


def write(folder, files):
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def left_over(tmp_path):
    return [path.name for path in tmp_path.rglob("*.incomplete")]


def complaint(spec=TINY):
    """The one sentence that fetching ends with."""
    with pytest.raises(WeightsError) as caught:
        weights.fetch(spec)
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith(".")
    return text


# The whole way


def test_a_checkpoint_of_the_hub_is_fetched_whole(server):
    assert weights.state(TINY) == "absent"
    folder = weights.fetch(TINY)
    assert np.array_equal(load_file(folder / "model.safetensors")["weight"], TENSOR)
    assert {path.name for path in folder.iterdir()} == set(CHECKPOINT)
    assert weights.state(TINY) == "downloaded"


def test_a_checkpoint_of_torchvision_is_fetched_whole(server, tmp_path):
    assert weights.state(VISION) == "absent"
    file = weights.fetch(VISION)
    assert file == tmp_path / "torch" / "hub" / "checkpoints" / PTH_NAME
    assert file.read_bytes() == PTH
    assert weights.state(VISION) == "downloaded"


@pytest.mark.parametrize("spec", [TINY, VISION], ids=lambda spec: spec.source)
def test_what_has_been_fetched_is_not_asked_for_again(server, spec):
    first = weights.fetch(spec)
    server.requests.clear()
    assert weights.fetch(spec) == first
    assert server.requests == []


@pytest.mark.parametrize(
    ("spec", "total"), [(TINY, sum(map(len, CHECKPOINT.values()))), (VISION, len(PTH))], ids=["hub", "torchvision"]
)
def test_progress_rises_from_nothing_to_all_bytes(server, spec, total):
    seen = []
    weights.fetch(spec, lambda done, of: seen.append((done, of)))
    done = [d for d, _ in seen]
    assert done == sorted(done)
    assert (seen[0][0], seen[-1][0]) == (0, total)
    assert {of for _, of in seen} == {total}


def test_a_pinned_commit_is_fetched_as_such(server):
    commit = server.repos["acme/tiny"].commit
    pinned = replace(TINY, revision=commit)
    assert weights.fetch(pinned).name == commit
    assert weights.state(pinned) == "downloaded"
    assert weights.state(TINY) == "absent", "nobody has asked what main is"
    assert not any("/main/" in request.path for request in server.requests)


def test_code_and_needless_weights_are_never_fetched(server):
    server.add_repo("acme/tiny", CHECKPOINT | {"modeling_tiny.py": b"evil()", "pytorch_model.bin": b"pickle"})
    folder = weights.fetch(TINY)
    assert {path.name for path in folder.iterdir()} == set(CHECKPOINT)
    assert {request.name for request in server.requests} == set(CHECKPOINT)


def test_a_pickle_is_fetched_only_where_there_are_no_safetensors(server):
    server.add_repo("acme/tiny", {"config.json": b"{}", "preprocessor_config.json": b"{}", "pytorch_model.bin": b"old"})
    assert (weights.fetch(TINY) / "pytorch_model.bin").read_bytes() == b"old"
    assert weights.state(TINY) == "downloaded"


def sharded(names):
    index = json.dumps({"weight_map": {f"layer{i}": name for i, name in enumerate(names)}}).encode()
    files = {name: data for name, data in CHECKPOINT.items() if name != "model.safetensors"}
    return files | {"model.safetensors.index.json": index}


def test_weights_in_several_files_are_fetched_with_their_index(server):
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    server.add_repo("acme/tiny", sharded(names) | {name: save({name: TENSOR}) for name in names})
    folder = weights.fetch(TINY)
    assert [load_file(folder / name)[name].size for name in names] == [TENSOR.size] * 2
    assert weights.state(TINY) == "downloaded"
    (folder / names[1]).unlink()
    assert weights.state(TINY) == "absent"


def test_an_index_cannot_name_files_elsewhere(server):
    server.add_repo("acme/tiny", sharded(["../../escape.safetensors"]))
    assert "names files that are no safetensors beside it" in complaint()


# The hub's own cache


def test_the_hub_library_finds_what_we_fetched(server):
    folder = weights.fetch(TINY)
    assert huggingface_hub.snapshot_download("acme/tiny", local_files_only=True) == str(folder)
    found = huggingface_hub.try_to_load_from_cache("acme/tiny", "model.safetensors")
    assert Path(found).read_bytes() == TENSORS
    assert huggingface_hub.scan_cache_dir(constants.HF_HUB_CACHE).warnings == []


def test_we_find_what_the_hub_library_fetched(server, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    huggingface_hub.snapshot_download("acme/tiny", cache_dir=constants.HF_HUB_CACHE)
    server.requests.clear()
    assert weights.state(TINY) == "downloaded"
    assert (weights.fetch(TINY) / "model.safetensors").read_bytes() == TENSORS
    assert server.requests == []


def test_without_symbolic_links_the_cache_works_as_well(server, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "no links for you")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    weights.fetch(TINY)
    server.requests.clear()
    assert (weights.fetch(TINY) / "model.safetensors").read_bytes() == TENSORS
    assert server.requests == []


@pytest.mark.parametrize("spec", [TINY, VISION], ids=lambda spec: spec.source)
def test_a_file_that_went_bad_in_the_cache_is_fetched_again(server, spec):
    found = weights.fetch(spec)
    file = found / "model.safetensors" if found.is_dir() else found
    good = file.read_bytes()
    file.write_bytes(b"\0" * len(good))
    assert weights.fetch(spec) == found
    assert file.read_bytes() == good


def test_a_blob_that_links_into_a_shared_store_counts_as_intact(server, tmp_path):
    file = weights.fetch(TINY) / "model.safetensors"
    blob = file.resolve()
    store = tmp_path / ("e" * 64)  # named by another hash than SHA-256
    blob.rename(store)
    blob.symlink_to(store)
    server.requests.clear()
    assert weights.fetch(TINY) == file.parent
    assert server.requests == []


# What breaks off


@pytest.mark.parametrize(("spec", "name"), [(TINY, "model.safetensors"), (VISION, PTH_NAME)], ids=["hub", "vision"])
def test_a_broken_download_is_kept_and_the_next_try_asks_only_for_the_rest(server, tmp_path, spec, name):
    server.fault(name, cut_after=40_000, times=3)
    assert "broke off after 120 kB of 200 kB, which the next try continues" in complaint(spec)
    assert weights.state(spec) == "absent"
    assert len(left_over(tmp_path)) == 1
    server.requests.clear()
    found = weights.fetch(spec)
    assert server.asked(name) == [120_000]
    assert weights.state(spec) == "downloaded"
    assert left_over(tmp_path) == []
    assert (found / name if found.is_dir() else found).read_bytes() in (TENSORS, PTH)


def test_a_single_break_is_mended_at_once(server):
    server.fault("model.safetensors", cut_after=40_000, times=1)
    weights.fetch(TINY)
    assert server.asked("model.safetensors") == [0, 40_000]


def test_a_host_that_ignores_ranges_sends_it_all_again(server):
    server.ranges = False
    server.fault(PTH_NAME, cut_after=40_000, times=1)
    assert weights.fetch(VISION).read_bytes() == PTH
    assert server.asked(PTH_NAME) == [0, 40_000]


def test_what_was_kept_of_something_longer_is_thrown_away(server, tmp_path):
    part = weights.torch_checkpoints() / f"{PTH_NAME}.incomplete"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * (len(PTH) + 1))
    assert weights.fetch(VISION).read_bytes() == PTH
    assert server.asked(PTH_NAME) == [len(PTH) + 1, 0]


@pytest.mark.parametrize(("spec", "name"), [(TINY, "model.safetensors"), (VISION, PTH_NAME)], ids=["hub", "vision"])
def test_a_wrong_hash_is_refused_and_the_file_removed(server, tmp_path, spec, name):
    server.fault(name, garble=True, times=1)
    text = complaint(spec)
    assert "is damaged (its SHA-256 is not" in text
    assert "was removed" in text
    assert weights.state(spec) == "absent"
    assert left_over(tmp_path) == []
    weights.fetch(spec)


def half_way(blobs):
    """Whether the large file has begun; the small ones come and go."""
    with contextlib.suppress(FileNotFoundError):
        return any(part.stat().st_size > 10_000 for part in blobs.glob("*.incomplete"))
    return False


def test_a_process_that_dies_on_the_way_leaves_what_it_had(server, tmp_path):
    large = save({"weight": np.resize(TENSOR, 500_000)})
    server.add_repo("acme/tiny", CHECKPOINT | {"model.safetensors": large})
    server.bytes_per_s = 2_000_000
    program = (
        "from segdemo.models import catalog, weights\nfrom dataclasses import replace\n"
        "weights.fetch(replace(catalog.CATALOG[0], source='huggingface', checkpoint='acme/tiny'))"
    )
    process = subprocess.Popen([sys.executable, "-c", program], env=os.environ | server.environment(tmp_path))
    deadline = time.monotonic() + 30
    blobs = Path(constants.HF_HUB_CACHE) / "models--acme--tiny" / "blobs"
    while not half_way(blobs) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    server.bytes_per_s = None
    assert (weights.fetch(TINY) / "model.safetensors").read_bytes() == large
    first, second = server.asked("model.safetensors")
    assert first == 0 < second


# Hosts that refuse


def test_an_id_that_is_gone_is_named(server):
    assert "is gone or gated" in complaint(replace(TINY, checkpoint="acme/vanished"))


def test_a_commit_that_is_gone_is_named(server):
    text = complaint(replace(TINY, revision="0" * 40))
    assert "does not have it (404): config.json of acme/tiny" in text


def test_a_repository_without_weights_is_named(server):
    server.add_repo("acme/tiny", {"config.json": b"{}", "preprocessor_config.json": b"{}"})
    assert "acme/tiny holds neither safetensors nor pytorch_model.bin" in complaint()


def test_a_file_of_torchvision_that_is_gone_is_named(server):
    server.files.clear()
    assert "does not have it (404)" in complaint(VISION)


def test_a_gated_checkpoint_needs_a_token_which_the_storage_host_never_sees(server, monkeypatch):
    server.add_repo("acme/tiny", CHECKPOINT, gated=True)
    assert "accept its terms on its page and set HF_TOKEN" in complaint()
    monkeypatch.setenv("HF_TOKEN", "good")
    weights.fetch(TINY)
    tokens = {request.token for request in server.requests if request.path.startswith("/storage/")}
    assert tokens == {None}


@pytest.mark.parametrize("status", [500, 503, 429])
@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_host_out_of_order_is_asked_three_times(server, method, status):
    server.fault("model.safetensors", status=status, method=method)
    assert f"is out of order or busy ({status}), try again later" in complaint()
    asked = [r for r in server.requests if r.name == "model.safetensors" and r.method == method]
    assert len([r for r in asked if r.content == (method == "GET")]) == 3


def test_a_host_that_stumbles_once_is_forgiven(server):
    server.fault("model.safetensors", status=503, times=1)
    server.fault(PTH_NAME, status=500, times=2)
    weights.fetch(TINY)
    weights.fetch(VISION)


@pytest.mark.parametrize("spec", [TINY, VISION], ids=lambda spec: spec.source)
def test_a_host_that_is_gone_is_named(server, spec):
    server.close()
    assert re.search(r"127\.0\.0\.1:\d+ cannot be reached \(.*refused", complaint(spec))


@pytest.mark.parametrize("spec", [TINY, VISION], ids=lambda spec: spec.source)
def test_without_a_network_the_host_cannot_be_found(server, monkeypatch, spec):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "cannot be found (no network?)" in complaint(spec)


def test_a_silent_host_is_not_waited_for(server, impatient):
    server.fault("config.json", method="HEAD", stall_after=0)
    assert "does not answer" in complaint()
    assert len(server.requests) == 1


def test_a_host_that_falls_silent_is_left_and_what_it_sent_is_kept(server, impatient):
    server.fault(PTH_NAME, stall_after=32_768, times=1)
    assert "broke off after" in complaint(VISION)
    weights.fetch(VISION)
    assert len(server.asked(PTH_NAME)) == 2


def test_the_limit_holds_however_many_addresses_a_host_has(server, impatient, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: threading.Event().wait(30))
    assert "does not answer" in complaint()


def test_a_page_of_somebody_else_is_not_taken_for_the_hub(server, monkeypatch):
    monkeypatch.setattr(hub, "head", lambda *_: Message())
    assert "is no hub (look at HF_ENDPOINT and the proxy)" in complaint()


def test_a_hub_cannot_choose_where_files_are_written(server, monkeypatch):
    answer = Message()
    answer["X-Repo-Commit"], answer["ETag"] = "0" * 40, '"../../../escape"'
    monkeypatch.setattr(hub, "head", lambda *_: answer)
    assert "is no hub" in complaint()


# Offline


def test_offline_mode_asks_nobody(server, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE forbids to fetch it" in complaint()
    assert server.requests == []


def test_offline_mode_uses_the_cache(server, monkeypatch):
    folder = weights.fetch(TINY)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert weights.fetch(TINY) == folder


@pytest.mark.parametrize(("spec", "copy"), [(TINY, "acme--tiny"), (VISION, PTH_NAME)], ids=["hub", "torchvision"])
def test_the_sentence_says_what_is_missing_how_large_it_is_and_where_to_put_it(server, monkeypatch, spec, copy):
    server.close()
    text = complaint(spec)
    assert text.startswith(f"{spec.title} (170 MB) is missing: ")
    assert f"`python -m segdemo fetch {spec.key}`" in text
    assert f"{copy} in a folder that SEGDEMO_CHECKPOINTS names" in text
    monkeypatch.setenv("SEGDEMO_CHECKPOINTS", "/media/stick")
    assert str(Path("/media/stick") / copy) in complaint(spec)


# The person's own folder


@pytest.mark.parametrize("name", ["acme/tiny", "acme--tiny"])
def test_a_folder_of_checkpoints_is_looked_at_first(server, checkpoints, name):
    folder = write(checkpoints / name, CHECKPOINT)
    assert weights.state(TINY) == "local"
    assert weights.fetch(TINY) == folder
    assert server.requests == []


def test_a_file_of_torchvision_in_the_folder_is_hashed_once(server, checkpoints, monkeypatch):
    file = checkpoints / PTH_NAME
    file.write_bytes(PTH)
    hashed = []
    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *args: hashed.append(args) or digest(*args))
    assert weights.state(VISION) == "local"
    assert [weights.fetch(VISION), weights.fetch(VISION)] == [file, file]
    assert len(hashed) == 1
    assert server.requests == []


def test_a_damaged_file_in_the_folder_is_refused_and_left_alone(server, checkpoints):
    file = write(checkpoints / "copy", {PTH_NAME: b"half"}) / PTH_NAME
    file = file.rename(checkpoints / PTH_NAME)
    assert f"{file} is damaged" in complaint(VISION)
    assert file.read_bytes() == b"half"


def test_a_folder_copied_in_part_is_passed_over_and_named_when_nothing_else_helps(server, checkpoints):
    files = {name: data for name, data in CHECKPOINT.items() if name != "preprocessor_config.json"}
    folder = write(checkpoints / "acme--tiny", files)
    assert weights.state(TINY) == "absent"
    assert weights.fetch(TINY) != folder
    server.close()
    other = replace(TINY, revision="0" * 40)
    assert f"{folder} lacks preprocessor_config.json" in complaint(other)


# Names


@pytest.mark.parametrize("name", ["../tiny", "acme/..", "/etc/passwd", "acme/tiny/more", "acme", "a b/c", "acme/t\n"])
def test_an_id_cannot_lead_elsewhere(server, checkpoints, name):
    spec = replace(TINY, checkpoint=name)
    for look in (weights.state, weights.fetch):
        with pytest.raises(WeightsError, match=r"is no id of the Hugging Face hub\.$"):
            look(spec)
    assert server.requests == []


@pytest.mark.parametrize("revision", ["../main", "a/../../b", "/main", "main\n"])
def test_a_revision_cannot_lead_elsewhere(server, revision):
    assert "is no revision of acme/tiny." in complaint(replace(TINY, revision=revision))


def test_torchvision_files_are_known_by_name_only(server):
    assert "knows no file of" in complaint(replace(VISION, checkpoint="../../evil.pth"))


def test_a_starter_cannot_lead_elsewhere(server):
    assert "is no name of a starter" in complaint(replace(TINY, source="starter", checkpoint="../architectures"))


# The disk


def test_a_full_disk_is_named_and_what_went_on_it_is_continued(server, monkeypatch):
    class SmallFile(io.FileIO):
        def write(self, data):
            if self.tell() + len(data) > 100_000:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(data)

    with monkeypatch.context() as full:
        full.setattr(download, "_CHUNK_BYTES", 50_000)
        full.setattr(download, "open", SmallFile, raising=False)
        assert f"{weights.torch_checkpoints()} cannot be used (No space left on device)" in complaint(VISION)
    assert weights.fetch(VISION).read_bytes() == PTH
    assert server.asked(PTH_NAME) == [0, 100_000]


def test_what_will_not_fit_is_not_begun(server, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: usage)
    assert "cannot be used (No space left on device)" in complaint(VISION)
    assert not any(path.is_file() and path.suffix == ".incomplete" for path in weights.torch_checkpoints().iterdir())


def test_a_cache_that_cannot_be_written_is_named(server, monkeypatch, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "file" / "hub"))
    assert "cannot be used (Not a directory)" in complaint()


# Several at once


@pytest.mark.parametrize(("spec", "name"), [(TINY, "model.safetensors"), (VISION, PTH_NAME)], ids=["hub", "vision"])
def test_threads_that_want_the_same_file_share_one_download(server, spec, name):
    server.bytes_per_s = 1_000_000
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(weights.fetch, [spec] * 4))
    assert len(set(found)) == 1
    assert server.asked(name) == [0]


def test_processes_that_want_the_same_file_share_one_download(server, tmp_path):
    server.bytes_per_s = 400_000
    program = (
        "from segdemo.models import catalog, weights\nfrom dataclasses import replace\n"
        "print(weights.fetch(replace(catalog.CATALOG[0], source='huggingface', checkpoint='acme/tiny')))"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program], env=os.environ | server.environment(tmp_path), stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    paths = {process.communicate(timeout=60)[0].decode().strip() for process in processes}
    assert paths == {str(weights.fetch(TINY))}
    assert server.asked("model.safetensors") == [0]


# What the tables say


def test_starters_are_bundled_or_absent(server, monkeypatch, tmp_path):
    starter = replace(TINY, source="starter", checkpoint="fcn", title="FCN starter")
    monkeypatch.setattr(weights, "STARTERS", tmp_path)
    assert weights.state(starter) == "absent"
    assert "this copy is without it; install segdemo again" in complaint(starter)
    folder = write(tmp_path / "fcn", {"model.safetensors": TENSORS})
    assert weights.state(starter) == "bundled"
    assert weights.fetch(starter) == folder


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"TORCH_HOME": "/data/torch"},
        {"XDG_CACHE_HOME": "/data/cache"},
        {"TORCH_HOME": "~/t", "XDG_CACHE_HOME": "/c"},
    ],
    ids=["default", "TORCH_HOME", "XDG_CACHE_HOME", "both"],
)
def test_the_folder_of_torchvision_files_is_the_one_torch_uses(monkeypatch, settings):
    import torch

    for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert weights.torch_checkpoints() == Path(torch.hub.get_dir()) / "checkpoints"


def test_the_names_of_torchvision_files_are_those_of_its_enums():
    from torchvision.models import get_weight

    for member, name in weights.TORCHVISION_FILES.items():
        assert get_weight(member).url == f"{weights.TORCHVISION_URL}/{name}"


@pytest.mark.parametrize("spec", catalog.CATALOG, ids=lambda spec: spec.key)
def test_every_row_of_the_catalogue_can_be_looked_for(spec):
    assert weights.state(spec) in get_args(weights.WeightsState)


def test_looking_at_the_disk_imports_no_torch():
    program = (
        "import sys\nfrom segdemo.models import catalog, weights\n"
        "[weights.state(spec) for spec in catalog.CATALOG]\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_a_starters_fingerprint_follows_weights_and_settings_but_not_its_record(tmp_path, monkeypatch):
    shutil.copytree(weights.STARTERS / "fcn", tmp_path / "fcn")
    monkeypatch.setattr(weights, "STARTERS", tmp_path)
    spec = catalog.find("starter/fcn")
    before = weights.fingerprint(spec)
    (tmp_path / "fcn" / "record.json").write_text("{}")
    assert weights.fingerprint(spec) == before
    config = tmp_path / "fcn" / "config.json"
    settings = json.loads(config.read_text())
    config.write_text(json.dumps(settings | {"shorter_side": settings["shorter_side"] + 8}))
    assert weights.fingerprint(spec) != before
