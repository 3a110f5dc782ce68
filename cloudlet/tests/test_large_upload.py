"""Chunked uploads: chunks in order, out of order, sent again, and of an unknown total."""

import asyncio
import contextlib
import io
import os
import secrets
from pathlib import Path
from typing import Any

import pytest
import urllib3
from cloudinary import uploader, utils
from cloudinary.exceptions import BadRequest
from PIL import Image
from servers import threaded_cloudlet

from cloudlet.store import Store, chunk_sessions
from cloudlet.store.chunk_sessions import ChunkSessions
from cloudlet.testing import RunningCloudlet, running_cloudlet

pytestmark = pytest.mark.usefixtures("server")
MIB = 1024 * 1024


def send(
    upload_id: str, data: bytes, start: int, total: int, *, to: RunningCloudlet | None = None, **options: Any
) -> dict[str, Any]:
    """Send a chunk as the SDK does, to the shared server or another."""
    headers = {"Content-Range": f"bytes {start}-{start + len(data) - 1}/{total}", "X-Unique-Upload-Id": upload_id}
    params = {"timestamp": utils.now(), **options}
    result: dict[str, Any] = uploader.call_api(
        "upload", params, http_headers=headers, file=("big.bin", data), resource_type="raw",
        **(to.sdk_config if to else {}),
    )  # fmt: skip
    return result


def test_the_sdk_uploads_in_chunks() -> None:
    data = os.urandom(6 * MIB)
    result = uploader.upload_large(io.BytesIO(data), chunk_size=5 * MIB, public_id="large/one.bin", tags=["large"])
    assert (result["bytes"], result["public_id"], result["done"]) == (len(data), "large/one.bin", True)
    assert urllib3.request("GET", result["url"], timeout=20).data == data


def test_total_beyond_the_limit_is_refused_at_the_first_chunk(tmp_path: Path) -> None:
    with (
        threaded_cloudlet("--max-upload-bytes", str(6 * MIB), data=tmp_path) as small,
        pytest.raises(BadRequest, match=rf"^File size too large\. Got {7 * MIB}\. Maximum is {6 * MIB}\.$"),
    ):
        send("big", b"a" * 5 * MIB, 0, 7 * MIB, to=small)


def test_chunks_may_come_in_any_order_and_twice() -> None:
    upload_id, data, total = secrets.token_hex(8), os.urandom(10 * MIB + 100), 10 * MIB + 100
    name = "any/order.bin"
    assert send(upload_id, data[10 * MIB :], 10 * MIB, total, public_id=name)["done"] is False
    assert send(upload_id, data[: 5 * MIB], 0, total, public_id=name)["done"] is False
    assert send(upload_id, data[10 * MIB :], 10 * MIB, total, public_id=name)["done"] is False
    done = send(upload_id, data[5 * MIB : 10 * MIB], 5 * MIB, total, public_id=name)
    assert done["bytes"] == total
    repeated = send(upload_id, data[5 * MIB : 10 * MIB], 5 * MIB, total, public_id=name)
    assert repeated["version"] == done["version"]
    assert urllib3.request("GET", done["url"], timeout=20).data == data


def test_the_total_may_be_known_only_at_the_end() -> None:
    upload_id = secrets.token_hex(8)
    first = send(upload_id, b"a" * 5 * MIB, 0, -1, folder="unknown")
    assert first["public_id"].startswith("unknown/")
    done = send(upload_id, b"b" * 5, 5 * MIB, 5 * MIB + 5, folder="unknown", public_id=first["public_id"])
    assert (done["bytes"], done["public_id"]) == (5 * MIB + 5, first["public_id"])


def test_upload_continues_after_the_server_was_killed(tmp_path: Path) -> None:
    upload_id, data, total = secrets.token_hex(8), os.urandom(10 * MIB + 100), 10 * MIB + 100
    with running_cloudlet(data=tmp_path) as server:
        first = send(upload_id, data[: 5 * MIB], 0, total, to=server, folder="restarted")
        server.process.kill()
    with threaded_cloudlet(data=tmp_path) as server:
        second = send(upload_id, data[5 * MIB : 10 * MIB], 5 * MIB, total, to=server, folder="restarted")
        assert (second["done"], second["public_id"]) == (False, first["public_id"])
        done = send(upload_id, data[10 * MIB :], 10 * MIB, total, to=server, folder="restarted")
        assert (done["done"], done["bytes"], done["public_id"]) == (True, total, first["public_id"])
        assert urllib3.request("GET", done["url"], timeout=20).data == data
    with threaded_cloudlet(data=tmp_path) as server:
        repeated = send(upload_id, data[10 * MIB :], 10 * MIB, total, to=server)
        assert (repeated["version"], repeated["etag"]) == (done["version"], done["etag"])
    assert list((tmp_path / "parts").iterdir()) == []


def test_last_chunk_sent_again_gets_the_same_response(tmp_path: Path) -> None:
    """All chunks were stored before a crash. A chunk sent again with other bytes must not change the asset."""
    with contextlib.closing(Store(tmp_path)) as store:
        asyncio.run(add_parts(ChunkSessions(store), {0: b"a" * 5 * MIB, 5 * MIB: b"tail"}, total=5 * MIB + 4))
    with threaded_cloudlet(data=tmp_path) as server:
        done = send("lost", b"LIAR", 5 * MIB, 5 * MIB + 4, to=server)
        assert (done["done"], done["public_id"], done["bytes"]) == (True, "found/again.bin", 5 * MIB + 4)
        assert urllib3.request("GET", done["url"], timeout=20).data == b"a" * 5 * MIB + b"tail"


async def add_parts(sessions: ChunkSessions, parts: dict[int, bytes], total: int) -> None:
    session = sessions.begin("lost", public_id="found/again.bin", asset_folder="found", filename="again.bin")
    for start, data in parts.items():
        await sessions.add(session, sessions._store.blobs.stage_bytes(data), start, total)


def test_abandoned_uploads_are_cleaned_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = tmp_path / "parts"
    with contextlib.closing(Store(tmp_path)) as store:
        asyncio.run(add_parts(ChunkSessions(store), {0: b"a" * 10}, total=20))
        (parts / "unknown").write_bytes(b"a first part that was never acknowledged")
        sessions = ChunkSessions(store)
        assert [path.name for path in parts.iterdir()] == [sessions._sessions["lost"].file]
        assert sessions._sessions["lost"].covered == [(0, 10)]
        monkeypatch.setattr(chunk_sessions, "IDLE_SECONDS", -1)
        asyncio.run(sessions.expire())
        assert sessions.find("lost") is None
        assert list(parts.iterdir()) == []
        monkeypatch.undo()
        assert ChunkSessions(store).find("lost") is None
        asyncio.run(add_parts(sessions, {0: b"a" * 10}, total=20))
        monkeypatch.setattr(chunk_sessions, "IDLE_SECONDS", -1)
        assert ChunkSessions(store).find("lost") is None
        assert list(parts.iterdir()) == []


def test_session_without_its_file_starts_again(tmp_path: Path) -> None:
    with contextlib.closing(Store(tmp_path)) as store:
        asyncio.run(add_parts(ChunkSessions(store), {0: b"a" * 10}, total=20))
        (part,) = (tmp_path / "parts").iterdir()
        part.unlink()
        assert ChunkSessions(store).find("lost") is None


def test_file_is_moved_where_hard_links_are_not_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    with contextlib.closing(Store(tmp_path)) as store:
        path = store.blobs.parts / "one"
        path.write_bytes(b"abc")
        staged = store.blobs.stage_copy(path)
        assert (staged.read(), staged.size, staged.md5) == (b"abc", 3, "900150983cd24fb0d6963f7d28e17f72")
        assert not path.exists()


def test_only_the_last_chunk_may_be_small() -> None:
    with pytest.raises(BadRequest, match="All parts except EOF-chunk must be larger than 5mb"):
        send(secrets.token_hex(8), b"small", 0, 100)


def test_damaged_chunks_are_refused() -> None:
    with pytest.raises(BadRequest, match="do not fill its Content-Range"):
        uploader.call_api(
            "upload",
            {"timestamp": utils.now()},
            http_headers={"Content-Range": "bytes 0-9/20", "X-Unique-Upload-Id": "short"},
            file=("x", b"12345"),
            resource_type="raw",
        )
    with pytest.raises(BadRequest, match="Invalid chunked upload"):
        uploader.call_api(
            "upload",
            {"timestamp": utils.now()},
            http_headers={"Content-Range": "bytes x-9/20", "X-Unique-Upload-Id": "bad"},
            file=("x", b"12345"),
            resource_type="raw",
        )


def test_large_image_is_inspected_when_complete() -> None:
    buffer = io.BytesIO()
    Image.effect_noise((1500, 1500), 90).convert("RGB").save(buffer, "BMP")
    result = uploader.upload_large(io.BytesIO(buffer.getvalue()), chunk_size=5 * MIB, resource_type="image")
    assert (result["width"], result["height"], result["format"]) == (1500, 1500, "bmp")


def test_memory_stays_flat_during_up_and_download_of_100_mb(tmp_path: Path) -> None:
    path = tmp_path / "hundred.bin"
    path.touch()
    os.truncate(path, 100 * MIB)
    with running_cloudlet() as server:
        result = uploader.upload(
            str(path), public_id="hundred.bin", resource_type="raw", timeout=60, **server.sdk_config
        )
        assert result["bytes"] == 100 * MIB
        response = urllib3.request("GET", result["url"], timeout=60, preload_content=False)
        received = sum(len(chunk) for chunk in response.stream(MIB))
        response.release_conn()
        assert received == 100 * MIB
        assert peak_memory_mb(server) < 150


def peak_memory_mb(server: RunningCloudlet) -> float:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024
