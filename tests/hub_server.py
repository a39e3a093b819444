"""A server on this machine that speaks the hub's protocol, serves torchvision's files, and fails as we ask.

    with HubServer() as server:
        server.add_repo("org/name", {"config.json": b"{}", "model.safetensors": data})
        server.add_file("fcn_resnet50_coco-1167a1af.pth", data)
        server.fault("model.safetensors", cut_after=1000, times=1)
        server.use(monkeypatch, tmp_path)          # for code in this process; caches under tmp_path
        environment = server.environment(tmp_path)   # for a process of its own
        ...
        assert server.asked("model.safetensors") == [0, 1000]

As on the hub, weights are redirected to a storage host (here "localhost" instead of "127.0.0.1") that knows
them by their SHA-256, and small files to an address of their commit.
"""

import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

_CHUNK_BYTES = 1 << 14


@dataclass
class Repo:
    """One commit of a repository."""

    files: dict[str, bytes]
    gated: bool = False
    card: dict = field(default_factory=dict)

    @property
    def commit(self) -> str:
        return hashlib.sha1(b"".join(name.encode() + data for name, data in self.files.items())).hexdigest()

    def etag(self, name: str) -> str:
        data = self.files[name]
        if is_large(name):
            return hashlib.sha256(data).hexdigest()
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass
class Fault:
    """What goes wrong with a file, and how many more times."""

    method: str
    times: float
    status: int | None = None
    cut_after: int | None = None
    stall_after: int | None = None
    garble: bool = False


@dataclass(frozen=True)
class Request:
    """What somebody asked for."""

    method: str
    path: str
    name: str
    first_byte: int
    token: str | None

    @property
    def content(self) -> bool:
        """Whether it went to where the bytes are, not to where one is redirected."""
        return "/resolve/" not in self.path


@dataclass
class HubServer:
    """See the module. `ranges` and `bytes_per_s` may be changed at any time."""

    ranges: bool = True
    bytes_per_s: float | None = None
    requests: list[Request] = field(default_factory=list)
    repos: dict[str, Repo] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)

    def __enter__(self):
        self.closed = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self._http.daemon_threads = True
        self._http.block_on_close = False
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def port(self):
        return self._http.server_address[1]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def close(self):
        """Refuse connections from now on."""
        if not self.closed.is_set():
            self.closed.set()
            self._http.shutdown()
            self._http.server_close()

    def add_repo(self, repo, files, gated=False, card=None):
        """Serve `files` (name to bytes) as the only commit of branch "main". card: what heads its README."""
        self.repos[repo] = Repo(dict(files), gated, card or {})

    def add_file(self, name, data):
        """Serve a file of torchvision's, at /models/NAME."""
        self.files[name] = data

    def fault(self, name, *, method="GET", times=float("inf"), **what):
        """Let requests for files of this name fail: status, cut_after or stall_after (bytes), garble."""
        self.faults[name] = Fault(method, times, **what)

    def asked(self, name):
        """The first byte of every request for this file's content, in order."""
        return [r.first_byte for r in self.requests if r.name == name and r.method == "GET" and r.content]

    def environment(self, folder):
        """Settings for a process that shall use this server and caches under `folder`."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(Path(folder) / "huggingface"),
            "TORCH_HOME": str(Path(folder) / "torch"),
            "SEGDEMO_TORCHVISION_URL": f"{self.url}/models",
            "SEGDEMO_TIMEOUT_S": "5",
            "NO_PROXY": "127.0.0.1,localhost",
        }

    def use(self, monkeypatch, folder):
        """The same for this process, whose libraries have read their settings already."""
        from huggingface_hub import constants

        for name, value in self.environment(folder).items():
            monkeypatch.setenv(name, value)
        for name in ("HF_HUB_OFFLINE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "SEGDEMO_CHECKPOINTS"):
            monkeypatch.delenv(name, raising=False)
        template = f"{self.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "ENDPOINT", self.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(Path(folder) / "huggingface" / "hub"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(Path(folder) / "huggingface" / "token"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


def is_large(name):
    """Whether the hub keeps the file in its storage, named by SHA-256."""
    return name.endswith((".safetensors", ".bin"))


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self._route()

    def do_GET(self):
        self._route()

    def log_message(self, format, *args):
        pass

    def _route(self):
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        match parts:
            case ["models", name] if name in self.hub.files:
                self._begin(name)
                self._file(name, self.hub.files[name], {"ETag": '"not-a-hash"'})
            case ["storage", _, name]:
                self._begin(name)
                self._file(name, self._stored(parts[1]), {"ETag": '"of-the-storage"'})
            case ["api", "resolve-cache", "models", org, name, commit, file]:
                self._begin(file)
                repo = self.hub.repos[f"{org}/{name}"]
                self._file(file, repo.files[file], {"ETag": f'"{repo.etag(file)}"', "X-Repo-Commit": commit})
            case ["api", "models", org, name, *rest]:
                self._begin("")
                self._list(f"{org}/{name}", rest)
            case [org, name, "resolve", revision, file]:
                self._begin(file)
                self._resolve(f"{org}/{name}", revision, file)
            case _:
                self._begin("")
                self._answer(404)

    def _begin(self, name):
        token = self.headers.get("Authorization")
        self.hub.requests.append(Request(self.command, self.path, name, self._first_byte(), token))

    def _first_byte(self):
        return int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))

    def _fault(self, name):
        fault = self.hub.faults.get(name)
        if fault is None or fault.method != self.command or fault.times < 1:
            return None
        fault.times -= 1
        return fault

    def _resolve(self, repo_id, revision, file):
        repo = self.hub.repos.get(repo_id)
        if repo is None:
            return self._answer(401, {"X-Error-Code": "RepoNotFound"})
        if repo.gated and self.headers.get("Authorization") != "Bearer good":
            return self._answer(401, {"X-Error-Code": "GatedRepo"})
        if revision not in ("main", repo.commit):
            return self._answer(404, {"X-Error-Code": "RevisionNotFound"})
        described = {"X-Repo-Commit": repo.commit}
        if file not in repo.files:
            return self._answer(404, {"X-Error-Code": "EntryNotFound", **described})
        if self.command == "HEAD" and (fault := self._fault(file)) is not None:
            return self._fail(fault)
        if is_large(file):
            described["X-Linked-Etag"] = f'"{repo.etag(file)}"'
            described["X-Linked-Size"] = str(len(repo.files[file]))
            described["Location"] = f"http://localhost:{self.hub.port}/storage/{repo.etag(file)}/{file}"
            return self._answer(302, described)
        described["Location"] = f"/api/resolve-cache/models/{repo_id}/{repo.commit}/{file}"
        return self._answer(307, described)

    def _list(self, repo_id, rest):
        repo = self.hub.repos.get(repo_id)
        if repo is None:
            return self._answer(401, {"X-Error-Code": "RepoNotFound"})
        if rest[:1] == ["tree"]:
            listing = [
                {"type": "file", "path": name, "size": len(data), "oid": repo.etag(name)}
                | ({"lfs": {"oid": repo.etag(name), "size": len(data), "pointerSize": 134}} if is_large(name) else {})
                for name, data in repo.files.items()
            ]
        else:
            names = [{"rfilename": name} for name in repo.files]
            listing = {"id": repo_id, "sha": repo.commit, "siblings": names, "cardData": repo.card}
        return self._answer(200, {"Content-Type": "application/json"}, json.dumps(listing).encode())

    def _stored(self, sha256):
        return next(
            data for repo in self.hub.repos.values() for name, data in repo.files.items() if repo.etag(name) == sha256
        )

    def _file(self, name, data, headers):
        fault = self._fault(name) if self.command == "GET" else None
        if fault is not None and fault.status is not None:
            return self._fail(fault)
        first = self._first_byte() if self.hub.ranges else 0
        if first and first >= len(data):
            return self._answer(416, {"Content-Range": f"bytes */{len(data)}"})
        if fault is not None and fault.garble:
            data = data[:-1] + bytes([data[-1] ^ 1])
        if first:
            headers = headers | {"Content-Range": f"bytes {first}-{len(data) - 1}/{len(data)}"}
        return self._answer(206 if first else 200, headers, data[first:], fault)

    def _fail(self, fault):
        if fault.stall_after is not None:
            self.hub.closed.wait(60)
            self.close_connection = True
        else:
            self._answer(fault.status)

    def _answer(self, status, headers=None, body=b"", fault=None):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        end = len(body)
        if fault is not None:
            end = next((n for n in (fault.cut_after, fault.stall_after) if n is not None), end)
        for start in range(0, end, _CHUNK_BYTES):
            self.wfile.write(body[start : min(start + _CHUNK_BYTES, end)])
            if self.hub.bytes_per_s:
                time.sleep(_CHUNK_BYTES / self.hub.bytes_per_s)
        if fault is not None and fault.stall_after is not None:
            self.wfile.flush()
            self.hub.closed.wait(60)
        if end < len(body):
            self.close_connection = True
