"""Downloads from a Hub on this computer: whole, compared, or one sentence that helps."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from pathlib import Path
from typing import Any

import pytest

from hub_weights import (
    CacheFolderError,
    ChecksumMismatchError,
    DownloadProgress,
    HubUnreachableError,
    NotOnThisComputerError,
    UnsafeNameError,
    WeightsAccessError,
    WeightsNotFoundError,
    cache_folder,
    download_file,
    licence_of,
    look_up,
)
from hub_weights.cached_file import find_cached

REPO = "somebody/nuclei"
FILE = "model.safetensors"
WEIGHTS = bytes(range(256)) * 400
CONFIG = b'{"schema_version": 1}'


@pytest.fixture
def commit(hub: Any) -> str:
    made: str = hub.put(REPO, {FILE: WEIGHTS, "config.json": CONFIG})
    return made


def no_leftovers() -> None:
    """No bytes stay in the cache under a name that is not theirs."""
    for blob in cache_folder().glob("models--*/blobs/*"):
        if blob.name.endswith(".incomplete"):  # older releases go on from it
            continue
        content = blob.read_bytes()
        git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        assert blob.name in (hashlib.sha256(content).hexdigest(), git)


def test_a_file_arrives_compared_and_is_not_asked_for_again(hub: Any, commit: str) -> None:
    heard: list[DownloadProgress] = []
    found = download_file(REPO, FILE, revision=commit, licence="mit", progress=heard.append)
    assert found.path.read_bytes() == WEIGHTS
    assert (found.commit, found.size, found.compared_with) == (commit, len(WEIGHTS), "the Hub")
    assert found.sha256 == hashlib.sha256(WEIGHTS).hexdigest()
    assert heard[0].message == f"Downloading {REPO}/{FILE}: 102 kB, licence mit"
    assert (heard[-1].done, heard[-1].total) == (len(WEIGHTS), len(WEIGHTS))
    before = len(hub.requests)
    assert download_file(REPO, FILE, revision=commit) == found
    assert len(hub.requests) == before
    no_leftovers()


def test_the_registry_s_sum_is_what_counts(commit: str) -> None:
    known = hashlib.sha256(WEIGHTS).hexdigest()
    found = download_file(REPO, FILE, revision=commit, sha256=known, size=len(WEIGHTS))
    assert found.compared_with == "the registry"
    with pytest.raises(ChecksumMismatchError, match=r"the registry says.*was kept for other prog"):
        download_file(REPO, FILE, revision=commit, sha256="0" * 64, local_files_only=True)
    with pytest.raises(ChecksumMismatchError, match=r"102,400 bytes, expected .* and 102,399 byte"):
        download_file(
            REPO, FILE, revision=commit, sha256=known, size=len(WEIGHTS) - 1, local_files_only=True
        )
    assert find_cached(REPO, FILE, commit) == found.path
    found.path.resolve().write_bytes(WEIGHTS[:-1])
    with pytest.raises(ChecksumMismatchError, match=r"the registry says.*The file was removed"):
        download_file(REPO, FILE, revision=commit, sha256=known, local_files_only=True)
    assert find_cached(REPO, FILE, commit) is None


@pytest.mark.parametrize("offline", [True, False])
def test_a_damaged_file_in_a_cache_that_cannot_be_written_is_named(
    commit: str, offline: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = download_file(REPO, FILE, revision=commit).path
    path.resolve().write_bytes(b"bad")

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refused)
    with pytest.raises(ChecksumMismatchError, match=rf"could not be removed: remove {path}"):
        download_file(REPO, FILE, revision=commit, local_files_only=offline)


def test_a_file_that_was_replaced_is_refused_before_it_is_downloaded(hub: Any, commit: str) -> None:
    with pytest.raises(ChecksumMismatchError, match=r"Nothing was downloaded: the file was repla"):
        download_file(REPO, FILE, revision=commit, sha256="0" * 64)
    assert hub.asked("/store/") == 0


def test_small_files_are_compared_by_git_s_sum(commit: str) -> None:
    found = download_file(REPO, "config.json", revision=commit)
    assert found.path.read_bytes() == CONFIG
    assert found.compared_with == "the Hub"
    found.path.resolve().write_bytes(b'{"schema_version": 2}')
    with pytest.raises(ChecksumMismatchError):
        download_file(REPO, "config.json", revision=commit, local_files_only=True)


def test_a_branch_is_followed_and_kept_for_later(hub: Any, commit: str) -> None:
    assert download_file(REPO, FILE).commit == commit
    newer = hub.put(REPO, {FILE: WEIGHTS[::-1]})
    assert download_file(REPO, FILE).path.read_bytes() == WEIGHTS[::-1]
    assert download_file(REPO, FILE, local_files_only=True).commit == newer
    hub.repositories[REPO].tags["v1"] = commit
    assert download_file(REPO, FILE, revision="v1").path.read_bytes() == WEIGHTS


def test_a_branch_is_taken_from_the_cache_when_the_hub_is_away(
    hub: Any, commit: str, caplog: pytest.LogCaptureFixture
) -> None:
    download_file(REPO, FILE)
    hub.faults.append(hub.Fault("resolve", times=9, status=503))
    assert download_file(REPO, FILE).commit == commit
    assert "The file of an earlier download is taken" in caplog.text


@pytest.mark.parametrize("cut", [0, 1000, 90_000])
def test_a_connection_that_breaks_is_taken_up_where_it_broke(
    hub: Any, commit: str, cut: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What of a piece has arrived when the connection breaks is lost: usually 10 MB.
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 500)
    hub.faults.append(hub.Fault("store", method="GET", cut=cut))
    assert download_file(REPO, FILE, revision=commit).path.read_bytes() == WEIGHTS
    ranges = [h.get("Range") for m, p, h in hub.requests if m == "GET" and "/store/" in p]
    assert ranges == [None, f"bytes={cut}-" if cut else None]
    no_leftovers()


def test_a_connection_that_always_breaks_is_given_up(hub: Any, commit: str) -> None:
    hub.faults.append(hub.Fault("store", times=99, cut=0))
    heard: list[DownloadProgress] = []
    with pytest.raises(HubUnreachableError, match="cannot be reached"):
        download_file(REPO, FILE, revision=commit, progress=heard.append)
    assert f"{REPO}/{FILE}: the connection broke, asking again in 1 s" in [p.message for p in heard]
    assert find_cached(REPO, FILE, commit) is None
    no_leftovers()


def test_wrong_bytes_never_load_and_are_removed(hub: Any, commit: str) -> None:
    wrong = b"\1" + WEIGHTS[1:]
    hub.faults.append(hub.Fault("store", method="GET", body=wrong))
    with pytest.raises(ChecksumMismatchError, match=r"other bytes than the Hub says.*was removed"):
        download_file(REPO, FILE, revision=commit)
    assert find_cached(REPO, FILE, commit) is None
    no_leftovers()
    assert download_file(REPO, FILE, revision=commit).path.read_bytes() == WEIGHTS


def test_a_body_of_another_length_is_an_error(hub: Any, commit: str) -> None:
    hub.faults.append(hub.Fault("store", method="GET", body=WEIGHTS[:-5]))
    with pytest.raises(HubUnreachableError, match="arrived incomplete"):
        download_file(REPO, FILE, revision=commit)
    no_leftovers()


def test_a_cached_file_that_went_bad_is_fetched_again(
    commit: str, caplog: pytest.LogCaptureFixture
) -> None:
    blob = download_file(REPO, FILE, revision=commit).path.resolve()
    blob.write_bytes(WEIGHTS[:1000])
    with caplog.at_level(logging.WARNING):
        assert download_file(REPO, FILE, revision=commit).path.read_bytes() == WEIGHTS
    assert "The file was removed" in caplog.text
    no_leftovers()


def test_a_bad_file_is_removed_from_a_cache_behind_a_link(
    hub: Any, commit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "link"))
    download_file(REPO, FILE, revision=commit).path.resolve().write_bytes(b"bad")
    with pytest.raises(ChecksumMismatchError):
        download_file(REPO, FILE, revision=commit, local_files_only=True)
    assert find_cached(REPO, FILE, commit) is None


def test_a_bad_file_in_a_store_shared_by_repositories_is_removed_there_too(
    commit: str, tmp_path: Path
) -> None:
    path = download_file(REPO, FILE, revision=commit).path
    shared = cache_folder() / "blobs" / "ab" / ("b" * 64)
    shared.parent.mkdir(parents=True)
    blob = path.resolve()
    blob.rename(shared)
    blob.symlink_to(os.path.relpath(shared, blob.parent))
    assert download_file(REPO, FILE, revision=commit, local_files_only=True).compared_with
    shared.write_bytes(b"bad")
    with pytest.raises(ChecksumMismatchError):
        download_file(REPO, FILE, revision=commit, local_files_only=True)
    assert not shared.exists()
    assert not blob.is_symlink()


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_hub_is_asked_again(hub: Any, commit: str, status: int) -> None:
    hub.faults.append(hub.Fault("resolve", times=2, status=status, headers={"Retry-After": "2"}))
    heard: list[DownloadProgress] = []
    assert download_file(REPO, FILE, progress=heard.append).path.read_bytes() == WEIGHTS
    said = [p.message for p in heard if p.message]
    assert said[0] == f"{REPO}/{FILE}: the Hub answers {status}, asking again in 2 s"


@pytest.mark.parametrize(
    ("status", "words"),
    [(429, "too many requests.*Wait some minutes"), (503, r"out of order \(503\)")],
)
def test_a_hub_that_stays_busy_is_named(hub: Any, status: int, words: str) -> None:
    hub.put(REPO, {FILE: WEIGHTS})
    hub.faults.append(hub.Fault("resolve", times=99, status=status))
    with pytest.raises(HubUnreachableError, match=words):
        download_file(REPO, FILE)


def test_a_hub_that_wants_more_patience_than_a_person_has_is_not_waited_for(hub: Any) -> None:
    hub.put(REPO, {FILE: WEIGHTS})
    hub.faults.append(hub.Fault("resolve", status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(HubUnreachableError, match="429"):
        download_file(REPO, FILE)
    assert hub.asked("/resolve/") == 1


@pytest.mark.parametrize("status", [500, 503])
def test_a_store_out_of_order_is_asked_again_too(hub: Any, commit: str, status: int) -> None:
    hub.faults.append(hub.Fault("store", method="GET", status=status))
    assert download_file(REPO, FILE, revision=commit).path.read_bytes() == WEIGHTS


def test_a_repository_that_does_not_exist(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WeightsAccessError, match=r"without a log-in \(401\).*hf auth login"):
        download_file("nobody/nothing", FILE)
    with pytest.raises(WeightsNotFoundError, match=r"no repository nobody/nothing.*spelling"):
        download_file("nobody/nothing", FILE, token=hub.TOKEN)


def test_a_private_repository_needs_the_token(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.put("somebody/secret", {FILE: WEIGHTS}, access="private")
    with pytest.raises(WeightsAccessError, match="private"):
        download_file("somebody/secret", FILE)
    found = download_file("somebody/secret", FILE, token=hub.TOKEN)
    assert found.path.read_bytes() == WEIGHTS
    monkeypatch.setenv("HF_TOKEN", hub.TOKEN)
    assert look_up("somebody/secret", FILE).commit == found.commit


def test_a_gated_repository_says_where_its_terms_are(hub: Any) -> None:
    hub.put("somebody/gated", {FILE: WEIGHTS}, access="gated")
    with pytest.raises(WeightsAccessError, match=rf"gated.*{hub.address}/somebody/gated"):
        download_file("somebody/gated", FILE)


def test_a_wrong_token_is_named(hub: Any) -> None:
    hub.put(REPO, {FILE: WEIGHTS})
    hub.faults.append(
        hub.Fault(
            "resolve",
            times=9,
            status=401,
            headers={"X-Error-Message": "Invalid credentials in Authorization header"},
        )
    )
    with pytest.raises(WeightsAccessError, match=r"refuses it \(401\).*token is wrong"):
        download_file(REPO, FILE, token="hf_wrong")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"revision": "0" * 40}, "has no revision '0000"),
        ({"revision": "v9"}, "has no revision 'v9'"),
        ({"file": "other.safetensors"}, "has no such file at its main branch"),
    ],
)
def test_what_a_repository_does_not_have(commit: str, asked: dict[str, str], words: str) -> None:
    with pytest.raises(WeightsNotFoundError, match=words):
        download_file(REPO, **{"file": FILE, **asked})


@pytest.mark.parametrize(
    ("repo_id", "file", "revision"),
    [
        (REPO, "../../outside", None),
        (REPO, "/etc/passwd", None),
        (REPO, "a/../../b", None),
        (REPO, "C:\\windows", None),
        (REPO, FILE, "../../main"),
        ("some body/x", FILE, None),
        ("../..", FILE, None),
    ],
)
def test_names_that_lead_elsewhere_are_refused(
    hub: Any, repo_id: str, file: str, revision: str | None
) -> None:
    with pytest.raises(UnsafeNameError):
        download_file(repo_id, file, revision=revision)
    assert hub.requests == []


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Linked-Etag": '"../../../../escaped"'},
        {"X-Repo-Commit": "../../../escaped"},
        {"X-Repo-Commit": None},
        {"X-Linked-Etag": None},
    ],
)
def test_a_server_that_is_no_hub_is_not_trusted(
    hub: Any, commit: str, headers: dict[str, str | None], tmp_path: Path
) -> None:
    hub.faults.append(hub.Fault("resolve", times=9, headers=headers))
    with pytest.raises(HubUnreachableError, match="HF_ENDPOINT"):
        download_file(REPO, FILE)
    assert not list(tmp_path.rglob("*escaped*"))
    assert hub.asked("/store/") == 0


def test_no_connection_is_said_at_once(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    hub.use_address("http://127.0.0.1:9")
    with pytest.raises(HubUnreachableError, match=r"127\.0\.0\.1:9 cannot be reached.*connection"):
        download_file(REPO, FILE)
    assert waited == []


def test_a_silent_hub_is_given_up(hub: Any, monkeypatch: pytest.MonkeyPatch, commit: str) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_ETAG_TIMEOUT", 0.2)
    hub.silence(5.0)
    with pytest.raises(HubUnreachableError, match="did not answer in time"):
        download_file(REPO, FILE)


def test_offline_nothing_is_asked(hub: Any, commit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotOnThisComputerError, match="downloading is switched off"):
        download_file(REPO, FILE, local_files_only=True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(NotOnThisComputerError, match="HF_HUB_OFFLINE"):
        download_file(REPO, FILE)
    with pytest.raises(NotOnThisComputerError, match="HF_HUB_OFFLINE"):
        look_up(REPO, FILE)
    assert hub.requests == []


def test_what_a_callback_raises_stops_the_download(hub: Any, commit: str) -> None:
    class StoppedError(Exception):
        pass

    def stop(progress: DownloadProgress) -> None:
        if progress.done:
            raise StoppedError

    with pytest.raises(StoppedError):
        download_file(REPO, FILE, revision=commit, progress=stop)
    assert find_cached(REPO, FILE, commit) is None
    no_leftovers()


def test_a_folder_that_cannot_be_written_is_named(
    commit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "file"))
    with pytest.raises(CacheFolderError, match=r"cannot be written.*HF_HOME"):
        download_file(REPO, FILE, revision=commit)


def test_a_full_disk_is_named(commit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **options: Any) -> str:
        raise OSError(28, "No space left on device", "blob")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", full)
    with pytest.raises(CacheFolderError, match=r"disk is full.*HF_HOME"):
        download_file(REPO, FILE, revision=commit)


def test_the_licence_is_read_from_the_card(commit: str) -> None:
    assert licence_of(REPO) == "mit"
