"""Videos: stored and delivered unchanged. Only the headers of the container are read."""

import contextlib
import io
import struct
from pathlib import Path
from typing import Any

import pytest
from cloudinary import api, uploader
from cloudinary.exceptions import BadRequest, NotFound
from cloudinary.utils import cloudinary_url
from deliveries import get, refused
from hypothesis import given
from hypothesis import strategies as st
from videos import FTYP, IDENTITY, MDAT, MP4, WEBM, box, long_box, moov, track

from cloudlet.media.video_info import MAX_BOXES, BrokenVideoError, VideoInfo, describe

pytestmark = pytest.mark.usefixtures("server")


def upload(public_id: str, content: bytes = MP4, **options: Any) -> dict[str, Any]:
    options = {"resource_type": "video", "filename": "clip.mp4", "timeout": 30, **options}
    result: dict[str, Any] = uploader.upload(io.BytesIO(content), public_id=public_id, **options)
    return result


def test_upload_returns_size_and_duration_of_the_container() -> None:
    result = upload("clips/one", tags=["clip"])
    assert (result["resource_type"], result["format"], result["bytes"]) == ("video", "mp4", len(MP4))
    assert (result["width"], result["height"], result["duration"]) == (640, 360, 12.5)
    assert (result["is_audio"], result["rotation"]) == (False, 0)
    assert api.resource("clips/one", resource_type="video")["duration"] == 12.5
    assert result["url"].endswith(f"/video/upload/v{result['version']}/clips/one.mp4")
    assert api.resource("clips/one", resource_type="video")["etag"] == result["etag"]
    assert [found["public_id"] for found in api.resources_by_tag("clip", resource_type="video")["resources"]] == [
        "clips/one"
    ]
    with pytest.raises(NotFound):
        api.resource("clips/one")
    assert uploader.destroy("clips/one", resource_type="video", invalidate=True)["result"] == "ok"
    refused(get(result["url"]), 404, "clips/one")


def test_video_is_recognised_by_its_bytes() -> None:
    assert upload("clips/auto", resource_type="auto", filename="clip.txt")["resource_type"] == "video"
    with pytest.raises(BadRequest, match="Unsupported video format or file"):
        upload("clips/text", b"no video")
    with pytest.raises(BadRequest, match="Invalid image file"):
        upload("clips/image", resource_type="image")


def test_range_requests_of_players_are_answered() -> None:
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


def test_unsupported_transformation_is_refused_by_name() -> None:
    upload("clips/same")
    for options in ({"width": 100, "crop": "scale"}, {"start_offset": "1.5"}, {"format": "webm"}, {"format": "jpg"},
                    {"quality": 50}, {"video_codec": "h264"}, {"fetch_format": "webm"}, {"quality": "auto", "width": 9},
                    {"fetch_format": "auto", "format": "jpg"}):  # fmt: skip
        address = cloudinary_url("clips/same", resource_type="video", **{"format": "mp4", **options})[0]
        refused(get(address), 400, "cloudlet")
    address = cloudinary_url("clips/same", resource_type="video", format="mp4", flags="attachment")[0]
    assert 'filename="same.mp4"' in get(address).headers["Content-Disposition"]


@pytest.mark.parametrize(
    "chain",
    ["f_auto", "f_auto:video", "q_auto", "q_auto:eco", "vc_auto", "f_auto:video,q_auto", "f_auto/q_auto", "f_mp4"],
)
def test_automatic_format_and_quality_deliver_the_original(chain: str) -> None:
    upload("clips/auto")
    for extension in ("", ".mp4"):
        address = cloudinary_url(f"clips/auto{extension}", resource_type="video", raw_transformation=chain)[0]
        answer = get(address)
        assert (answer.status_code, answer.content, answer.headers["Content-Type"]) == (200, MP4, "video/mp4")
    if chain.startswith("f_auto"):
        address = cloudinary_url("clips/auto.webm", resource_type="video", raw_transformation=chain)[0]
        assert get(address).headers["Content-Type"] == "video/mp4"


@pytest.mark.parametrize(
    "eager", ["ac_none", "so_0", "sp_hd/m3u8", "c_scale,w_100", "w_300,h_200/jpg", "e_accelerate:50", "vc_h265/webm"]
)
def test_upload_succeeds_when_an_eager_file_cannot_be_made(eager: str) -> None:
    (failed,) = upload("clips/eager", eager=eager)["eager"]
    assert (failed["status"], failed["transformation"]) == ("failed", eager.partition("/")[0])
    assert "cloudlet" in failed["reason"]
    assert get(cloudinary_url("clips/eager.mp4", resource_type="video")[0]).content == MP4
    (pending,) = upload("clips/eager", eager=eager, eager_async=True)["eager"]
    assert pending["status"] == "processing"
    (failed,) = uploader.explicit("clips/eager", type="upload", resource_type="video", eager=eager)["eager"]
    assert failed["status"] == "failed"


def test_eager_file_may_be_the_original() -> None:
    (made,) = upload("clips/eager", eager="q_auto/mp4")["eager"]
    assert (made["bytes"], made["format"], made["width"], "status" in made) == (len(MP4), "mp4", 640, False)
    assert get(made["secure_url"]).content == MP4


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"raw_transformation": ".mp4"}, "^Invalid transformation component - .mp4: "),
        ({"format": "jpg"}, "^Invalid transformation component - .jpg: cloudlet doesn't transform video"),
        ({"raw_transformation": "c_scale,w_100"}, "c_scale,w_100: cloudlet doesn't transform video"),
    ],
)
def test_incoming_transformation_of_a_video_is_refused_by_name(options: dict[str, str], text: str) -> None:
    with pytest.raises(BadRequest, match=text):
        upload("clips/never", **options)
    with pytest.raises(NotFound):
        api.resource("clips/never", resource_type="video")
    assert upload("clips/kept", raw_transformation="q_auto", format="mp4")["bytes"] == len(MP4)


def info(content: bytes, format_: str = "mp4") -> VideoInfo | None:
    return describe(io.BytesIO(content), len(content), format_)


def test_size_takes_the_rotation_into_account() -> None:
    turns = {0: IDENTITY, 90: (0, 1, 0, -1, 0, 0, 0, 0, 0x4000), 180: (-1, 0, 0, 0, -1, 0, 0, 0, 0x4000),
             270: (0, -1, 0, 1, 0, 0, 0, 0, 0x4000)}  # fmt: skip
    for degrees, matrix in turns.items():
        size = (360, 640) if degrees in (90, 270) else (640, 360)
        assert info(FTYP + moov(track(matrix=matrix)) + MDAT) == VideoInfo(*size, 12.5, degrees)


def test_variants_of_the_container_are_read() -> None:
    expected = VideoInfo(640, 360, 12.5)
    sound = track(b"soun")
    fragmented = moov(track(), box(b"mvex", box(b"mehd", b"\0" * 4 + struct.pack(">I", 12_500))), units=0)
    endless = FTYP + moov(track()) + struct.pack(">I4s", 0, b"mdat") + b"x" * 500
    for content in (
        FTYP + MDAT + moov(sound, track()),
        FTYP + moov(track(long=True), long=True) + long_box(b"mdat", b"x" * 500),
        FTYP + box(b"free", b"") + fragmented + box(b"moof", b"") + MDAT,
        endless,
        MP4 + b"\0" * 20,
        MP4 + b"trailing rubbish",
    ):
        assert info(content) == expected
    assert info(WEBM, "webm") == expected
    assert info(FTYP + moov(sound) + MDAT, "m4a") == VideoInfo(duration=12.5, is_audio=True)
    assert info(FTYP + moov(track(), units=0xFFFFFFFF) + MDAT) == VideoInfo(640, 360)


def test_movie_with_many_fragments_is_read() -> None:
    assert info(FTYP + moov(track()) + box(b"moof", b"") * MAX_BOXES) == VideoInfo(640, 360, 12.5)


@pytest.mark.parametrize(
    "content",
    [
        MP4[: len(FTYP) + 40],
        MP4[:-100],
        FTYP + MDAT,
        FTYP + MDAT[:-1],
        FTYP + box(b"moov", b"\0" * 100) + MDAT,
        FTYP + moov() + MDAT,
        FTYP + long_box(b"mdat", b"")[:-4] + b"\xff" * 4 + moov(track()),
    ],
)
def test_truncated_file_is_refused(content: bytes) -> None:
    for resource_type in ("video", "auto"):
        with pytest.raises(BadRequest, match=r"^Unsupported video format or file$"):
            upload("clips/cut", content, resource_type=resource_type)


def written(folder: Path, name: str, codec: str) -> bytes:
    """Return a video of 25 frames at 10 per second, written by a muxer of FFmpeg."""
    import cv2  # imported here because it is slow
    import numpy as np

    path = folder / name
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 10, (320, 180))
    assert writer.isOpened()
    for shade in range(25):
        writer.write(np.full((180, 320, 3), shade * 10, np.uint8))
    writer.release()
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "mp4v"), ("a.mov", "mp4v"), ("a.webm", "VP80"), ("a.mkv", "VP80")]
)
def test_files_of_ffmpeg_are_read(tmp_path: Path, name: str, codec: str) -> None:
    content = written(tmp_path, name, codec)
    result = upload("clips/real", content, filename=name)
    assert (result["format"], result["width"], result["height"], result["duration"]) == (name[2:], 320, 180, 2.5)
    with pytest.raises(BadRequest, match="Unsupported video format or file"):
        upload("clips/real", content[: len(content) // 2], filename=name)


@given(st.sampled_from(["mp4", "webm"]), st.integers(0, 400), st.binary(max_size=12), st.integers(0, 12))
def test_damaged_file_is_read_or_refused(format_: str, position: int, inserted: bytes, removed: int) -> None:
    sample = {"mp4": MP4[:2000], "webm": WEBM}[format_]
    with contextlib.suppress(BrokenVideoError):
        info(sample[:position] + inserted + sample[position + removed :], format_)
    with contextlib.suppress(BrokenVideoError):
        info(sample[:position], format_)
