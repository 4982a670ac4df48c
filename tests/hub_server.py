"""A small Hub on this computer: repositories, a store behind a redirect, and whatever can go wrong.

It speaks what huggingface_hub asks for: metadata by HEAD, redirects to a store that knows ranges,
ETags, the commit header, error codes, the API's pages, and uploads by LFS and commit.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

SMALL = 1000
"""Files of fewer bytes are in git, others in the store."""

TOKEN = "hf_local"


@dataclass
class Repository:
    """One repository: its commits, the newest last, and who may see it.

    Attributes
    ----------
    access : "public", "private" (seen with the token only), or "gated" (never given)
    """

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    access: str = "public"
    license: str = "mit"

    @property
    def head(self) -> str:
        return list(self.commits)[-1]

    def add(self, files: Mapping[str, bytes]) -> str:
        """Commit files beside those that are there."""
        kept = dict(self.commits[self.head]) if self.commits else {}
        content = {**kept, **files}
        names = json.dumps([[n, hashlib.sha256(b).hexdigest()] for n, b in sorted(content.items())])
        commit = hashlib.sha1(names.encode()).hexdigest()
        self.commits[commit] = content
        return commit

    def resolve(self, revision: str) -> str | None:
        commit = self.tags.get(revision, self.head if revision == "main" else revision)
        return commit if commit in self.commits else None


@dataclass
class Fault:
    """What goes wrong with a request: the first ones that it fits, as often as it says.

    Attributes
    ----------
    where : "resolve", "store" or "api"
    method : of the request, any if empty
    status : answered instead
    headers : of the answer, in place of or beside the usual ones; None takes one away
    cut : bytes of the body after which the connection is closed
    pause : seconds between pieces of the body
    body : sent in the place of the right one
    """

    where: str
    times: int = 1
    method: str = ""
    status: int | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict)
    cut: int | None = None
    pause: float = 0.0
    body: bytes | None = None


class HubServer:
    """Serves until it is closed.

    Attributes
    ----------
    requests : method, path and headers of all that came
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.store: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self._silence = 0.0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def store_address(self) -> str:
        """The store is another host, as on the Hub: it gets no token, and redirects end there."""
        return f"http://localhost:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def put(self, repo_id: str, files: Mapping[str, bytes], **facts: Any) -> str:
        """Commit files to a repository, made if there is none, and return the commit."""
        repository = self.repositories.setdefault(repo_id, Repository(**facts))
        for content in files.values():
            self.store[hashlib.sha256(content).hexdigest()] = content
        return repository.add(files)

    def fault_of(self, where: str, method: str) -> Fault | None:
        with self._lock:
            for fault in self.faults:
                if fault.where == where and fault.method in ("", method) and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None

    def silence(self, seconds: float) -> None:
        """Answer nothing for so long, whatever is asked."""
        self._silence = seconds

    def wait_for(self, part: str) -> None:
        """Wait until a path with a part was asked for."""
        for _ in range(1000):
            if self.asked(part):
                return
            threading.Event().wait(0.05)
        raise TimeoutError(f"Nobody asked for {part}.")

    def asked(self, part: str, method: str = "") -> int:
        """Count the requests whose path contains a part."""
        return sum(part in path and method in ("", m) for m, path, _ in self.requests)


def _handler_of(hub: HubServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

        def handle(self) -> None:
            try:
                super().handle()
            except (ConnectionResetError, BrokenPipeError):
                """The other side went away: one of the things that are tested."""

        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def do_PUT(self) -> None:
            self._answer()

        def _answer(self) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.requests.append((self.command, path, dict(self.headers)))
            if hub._silence:
                threading.Event().wait(hub._silence)
            self._content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if path.startswith("/store/"):
                self._store(path.removeprefix("/store/"))
            elif "/resolve/" in path:
                self._resolve(path)
            elif path.endswith("/info/lfs/objects/batch"):
                self._lfs_batch()
            elif path.startswith("/api/"):
                self._api(path.removeprefix("/api/"))
            else:
                self._send(404)

        def _send(
            self,
            status: int,
            body: bytes = b"",
            headers: Mapping[str, str | None] | None = None,
            fault: Fault | None = None,
        ) -> None:
            """Send an answer, spoilt as the fault says."""
            fault = fault or Fault("")
            sent = {"Content-Length": str(len(body)), **(headers or {}), **fault.headers}
            if fault.status is not None:
                status, body, sent = fault.status, b"", {"Content-Length": "0", **fault.headers}
            if fault.body is not None:
                body = fault.body
            self.send_response(status)
            for name, value in sent.items():
                if value is not None:
                    self.send_header(name, value)
            self.end_headers()
            if self.command == "HEAD":
                return
            whole = body if fault.cut is None else body[: fault.cut]
            piece = max(1, len(whole) // 10) if fault.pause else max(1, len(whole))
            for start in range(0, len(whole), piece):
                if fault.pause:
                    threading.Event().wait(fault.pause)
                self.wfile.write(whole[start : start + piece])
                self.wfile.flush()
            if fault.cut is not None:
                self.close_connection = True
                self.connection.shutdown(1)

        def _json(self, content: Any, status: int = 200) -> None:
            body = json.dumps(content).encode()
            self._send(status, body, {"Content-Type": "application/json"})

        def _logged_in(self) -> bool:
            return self.headers.get("Authorization") == f"Bearer {TOKEN}"

        def _repository(self, repo_id: str) -> Repository | None:
            """Return a repository, or answer why not."""
            repository = hub.repositories.get(repo_id)
            if repository is None or (repository.access == "private" and not self._logged_in()):
                status = 404 if self._logged_in() else 401
                self._send(status, headers={"X-Error-Code": "RepoNotFound"})
                return None
            if repository.access == "gated":
                self._send(403, headers={"X-Error-Code": "GatedRepo"})
                return None
            return repository

        def _resolve(self, path: str) -> None:
            repo_id, _, rest = path[1:].partition("/resolve/")
            revision, _, name = rest.partition("/")
            fault = hub.fault_of("resolve", self.command)
            if fault is not None and fault.status is not None:
                self._send(fault.status, fault=fault)
                return
            repository = self._repository(repo_id)
            if repository is None:
                return
            commit = repository.resolve(revision)
            if commit is None:
                self._send(404, headers={"X-Error-Code": "RevisionNotFound"})
                return
            said = {"X-Repo-Commit": commit}
            content = repository.commits[commit].get(name)
            if content is None:
                self._send(404, headers={**said, "X-Error-Code": "EntryNotFound"})
            elif len(content) < SMALL:
                digest = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
                self._send(200, content, {**said, "ETag": f'"{digest}"'}, fault)
            else:
                digest = hashlib.sha256(content).hexdigest()
                store = {
                    "Location": f"{hub.store_address}/store/{digest}",
                    "X-Linked-Etag": f'"{digest}"',
                    "X-Linked-Size": str(len(content)),
                    "Content-Length": "0",
                }
                self._send(302, b"", {**said, **store}, fault)

        def _store(self, digest: str) -> None:
            fault = hub.fault_of("store", self.command)
            if self.command == "PUT":
                hub.store[digest] = self._content
                self._send(200, fault=fault)
                return
            content = hub.store[digest]
            if fault is not None and fault.body is not None:
                content = fault.body
            span = self.headers.get("Range")
            if span is None:
                self._send(200, content, fault=fault)
                return
            start = int(span.removeprefix("bytes=").partition("-")[0])
            end = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self._send(206, content[start:], {"Content-Range": end}, fault)

        def _lfs_batch(self) -> None:
            wanted = json.loads(self._content)["objects"]
            objects = [
                {
                    **one,
                    "actions": {"upload": {"href": f"{hub.store_address}/store/{one['oid']}"}},
                }
                for one in wanted
            ]
            self._json({"transfer": "basic", "objects": objects})

        def _api(self, path: str) -> None:
            fault = hub.fault_of("api", self.command)
            if fault is not None:
                self._send(fault.status or 500, fault=fault)
                return
            match path.split("/"):
                case ["validate-yaml"]:
                    self._json({"errors": [], "warnings": []})
                case ["repos", "create"]:
                    self._create(json.loads(self._content))
                case ["models", owner, name, "preupload", _]:
                    files = json.loads(self._content)["files"]
                    modes = [
                        {
                            "path": f["path"],
                            "uploadMode": "regular" if f["size"] < SMALL else "lfs",
                            "shouldIgnore": False,
                        }
                        for f in files
                    ]
                    self._json({"files": modes})
                case ["models", owner, name, "commit", _]:
                    self._commit(f"{owner}/{name}")
                case ["models", owner, name, *_]:
                    repository = self._repository(f"{owner}/{name}")
                    if repository is not None:
                        self._json(
                            {
                                "id": f"{owner}/{name}",
                                "sha": repository.head,
                                "cardData": {"license": repository.license},
                                "siblings": [],
                                "tags": [],
                            }
                        )
                case _:
                    self._send(404)

        def _create(self, asked: Mapping[str, Any]) -> None:
            if not self._logged_in():
                self._send(401)
                return
            repo_id = f"{asked.get('organization')}/{asked['name']}"
            private = asked.get("private") or asked.get("visibility") == "private"
            access = "private" if private else "public"
            hub.repositories.setdefault(repo_id, Repository(access=access))
            self._json({"url": f"{hub.address}/{repo_id}", "name": repo_id})

        def _commit(self, repo_id: str) -> None:
            files = {}
            for line in self._content.splitlines():
                said = json.loads(line)
                value = said["value"]
                if said["key"] == "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                elif said["key"] == "lfsFile":
                    files[value["path"]] = hub.store[value["oid"]]
            commit = hub.put(repo_id, files)
            address = f"{hub.address}/{repo_id}/commit/{commit}"
            self._json({"commitUrl": address, "commitOid": commit})

    return Handler
