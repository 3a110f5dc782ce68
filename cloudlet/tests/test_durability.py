"""Durability: acknowledged uploads survive a crash, and unacknowledged ones leave no files."""

import hashlib
import os
import signal
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import urllib3
from cloudinary import api, uploader
from servers import threaded_cloudlet

from cloudlet.config import ConfigError
from cloudlet.store import Store
from cloudlet.testing import RunningCloudlet, running_cloudlet

WRITERS = 8


@pytest.mark.parametrize(
    ("kills", "uploads"),
    [pytest.param(2, 4, marks=pytest.mark.system), pytest.param(5, 30, marks=pytest.mark.soak)],
)
def test_kill_under_load_loses_no_acknowledged_upload(kills: int, uploads: int, tmp_path: Path) -> None:
    """Kill the server repeatedly during uploads. Each acknowledged upload must then be there and complete."""
    acknowledged: dict[str, str] = {}
    for round_number in range(kills):
        with running_cloudlet(data=tmp_path) as server:
            _upload_until_killed(server, round_number, uploads, acknowledged)
    assert len(acknowledged) >= kills * uploads
    with threaded_cloudlet(data=tmp_path) as server:
        for public_id, etag in acknowledged.items():
            found = api.resource(public_id, resource_type="raw", **server.sdk_config)
            data = urllib3.request("GET", found["url"], timeout=10).data
            assert (found["etag"], hashlib.md5(data, usedforsecurity=False).hexdigest()) == (etag, etag)
    _assert_files_match_the_index(tmp_path)


def _upload_until_killed(
    server: RunningCloudlet, round_number: int, uploads: int, acknowledged: dict[str, str]
) -> None:
    enough = threading.Event()

    def work(writer: int) -> None:
        for number in range(10_000):
            data = os.urandom(500 + 7 * number)
            public_id = f"kill/{round_number}/{writer}/{number}.bin"
            try:
                result = uploader.upload(
                    data, public_id=public_id, resource_type="raw", filename="f.bin", timeout=10, **server.sdk_config
                )
            except Exception:  # noqa: BLE001 - the server was killed; any failure ends this writer
                return
            acknowledged[public_id] = result["etag"]
            if number == uploads - 1:
                enough.set()

    with ThreadPoolExecutor(WRITERS) as pool:
        futures = [pool.submit(work, writer) for writer in range(WRITERS)]
        assert enough.wait(60)
        server.process.send_signal(signal.SIGKILL)
        for future in futures:
            future.result()


def _assert_files_match_the_index(data: Path) -> None:
    """Assert that each row has its file, of the recorded size, and that there are no other files."""
    index = sqlite3.connect(data / "index.sqlite3")
    rows = dict(index.execute("SELECT blob, bytes FROM assets WHERE blob != ''").fetchall())
    index.close()
    files = {str(path.relative_to(data / "blobs")): path.stat().st_size for path in (data / "blobs").glob("*/*")}
    assert files == rows
    assert list((data / "staging").iterdir()) == []


@pytest.mark.integration
def test_files_left_by_a_crash_are_deleted_at_start(tmp_path: Path) -> None:
    with threaded_cloudlet(data=tmp_path) as server:
        kept = uploader.upload(b"kept", public_id="kept", resource_type="raw", filename="k", **server.sdk_config)
    orphan = next((tmp_path / "blobs").iterdir()) / ("0" * 32)
    orphan.write_bytes(b"renamed, but never committed")
    (tmp_path / "staging" / "half").write_bytes(b"half a file")
    with threaded_cloudlet(data=tmp_path) as server:
        assert api.resource("kept", resource_type="raw", **server.sdk_config)["etag"] == kept["etag"]
    _assert_files_match_the_index(tmp_path)


@pytest.mark.integration
def test_concurrent_overwrites_end_in_one_consistent_asset(tmp_path: Path) -> None:
    with threaded_cloudlet(data=tmp_path) as server:

        def overwrite(number: int) -> tuple[int, str]:
            result = uploader.upload(
                bytes([number]) * (100 + number), public_id="one", resource_type="raw", filename="o",
                timeout=30, **server.sdk_config,
            )  # fmt: skip
            return result["version"], result["etag"]

        with ThreadPoolExecutor(16) as pool:
            outcomes = list(pool.map(overwrite, range(60)))
        versions = [version for version, _ in outcomes]
        assert len(set(versions)) == len(versions)
        found = api.resource("one", resource_type="raw", **server.sdk_config)
        assert (found["version"], found["etag"]) == max(outcomes)
        data = urllib3.request("GET", found["url"], timeout=10).data
        assert hashlib.md5(data, usedforsecurity=False).hexdigest() == found["etag"]
    _assert_files_match_the_index(tmp_path)


def test_two_servers_cannot_share_a_data_folder(tmp_path: Path) -> None:
    store = Store(tmp_path)
    try:
        with pytest.raises(ConfigError, match="is in use by another cloudlet"):
            Store(tmp_path)
    finally:
        store.close()
    Store(tmp_path).close()


def test_failing_job_leaves_no_blob_and_does_not_stop_the_writer(tmp_path: Path) -> None:
    store = Store(tmp_path)
    try:
        with pytest.raises(ZeroDivisionError):
            store.write_blob(store.blobs.stage_bytes(b"x"), lambda _transaction, _blob: 1 // 0)
        assert store.write(lambda _: "still working") == "still working"
    finally:
        store.close()
    assert list((tmp_path / "blobs").glob("*/*")) == []
