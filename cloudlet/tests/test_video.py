"""Videos: kept and delivered byte for byte, and not looked into."""

import io
import os
import struct
from typing import Any

import pytest
from cloudinary import api, uploader
from cloudinary.exceptions import BadRequest, NotFound
from cloudinary.utils import cloudinary_url
from deliveries import get, refused

pytestmark = pytest.mark.usefixtures("server")


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


MP4 = box(b"ftyp", b"isom\0\0\2\0isomiso2mp41") + box(b"moov", b"\0" * 100) + box(b"mdat", os.urandom(300_000))


def upload(public_id: str, content: bytes = MP4, **options: Any) -> dict[str, Any]:
    options = {"resource_type": "video", "filename": "clip.mp4", "timeout": 30, **options}
    result: dict[str, Any] = uploader.upload(io.BytesIO(content), public_id=public_id, **options)
    return result


def test_an_upload_tells_the_kind_and_no_more() -> None:
    result = upload("clips/one", tags=["clip"])
    assert (result["resource_type"], result["format"], result["bytes"]) == ("video", "mp4", len(MP4))
    assert not {"width", "height", "duration", "is_audio"} & result.keys()
    assert result["url"].endswith(f"/video/upload/v{result['version']}/clips/one.mp4")
    assert api.resource("clips/one", resource_type="video")["etag"] == result["etag"]
    assert [found["public_id"] for found in api.resources_by_tag("clip", resource_type="video")["resources"]] == [
        "clips/one"
    ]
    with pytest.raises(NotFound):
        api.resource("clips/one")
    assert uploader.destroy("clips/one", resource_type="video", invalidate=True)["result"] == "ok"
    refused(get(result["url"]), 404, "clips/one")


def test_the_kind_is_recognised_by_the_bytes() -> None:
    assert upload("clips/auto", resource_type="auto", filename="clip.txt")["resource_type"] == "video"
    with pytest.raises(BadRequest, match="Unsupported video format or file"):
        upload("clips/text", b"no video")
    with pytest.raises(BadRequest, match="Invalid image file"):
        upload("clips/image", resource_type="image")


def test_players_get_the_ranges_that_they_ask_for() -> None:
    url = upload("clips/ranges")["url"]
    whole = get(url)
    assert (whole.content, whole.headers["Content-Type"], whole.headers["Accept-Ranges"]) == (MP4, "video/mp4", "bytes")
    for asked, start, end in (("0-1", 0, 2), ("1000-", 1000, len(MP4)), ("-500", len(MP4) - 500, len(MP4)),
                              ("100000-99999999", 100_000, len(MP4))):  # fmt: skip
        part = get(url, headers={"Range": f"bytes={asked}"})
        assert (part.status_code, part.content) == (206, MP4[start:end])
        assert part.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(MP4)}"
        assert part.headers["Content-Length"] == str(end - start)
    beyond = get(url, headers={"Range": f"bytes={len(MP4)}-"})
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{len(MP4)}")
    changed = get(url, headers={"Range": "bytes=0-1", "If-Range": '"another version"'})
    assert (changed.status_code, changed.content) == (200, MP4)


def test_what_is_not_supported_is_named() -> None:
    upload("clips/same")
    for options in ({"width": 100, "crop": "scale"}, {"start_offset": "1.5"}, {"format": "webm"}, {"format": "jpg"}):
        address = cloudinary_url("clips/same", resource_type="video", **{"format": "mp4", **options})[0]
        refused(get(address), 400, "cloudlet")
    address = cloudinary_url("clips/same", resource_type="video", format="mp4", flags="attachment")[0]
    assert 'filename="same.mp4"' in get(address).headers["Content-Disposition"]
    eager = upload("clips/eager", eager=[{"width": 100, "crop": "scale"}])["eager"]
    assert eager[0]["status"] == "failed"
    assert "does not transform video" in eager[0]["reason"]
