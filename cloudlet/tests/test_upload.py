"""The Upload API through the official SDK."""

import base64
import hashlib
import io
import threading
import time
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cloudinary
import pytest
import urllib3
from cloudinary import api, uploader, utils
from cloudinary.exceptions import AuthorizationRequired, BadRequest, Error, NotFound
from pictures import decoded, encoded, png
from PIL import Image
from servers import threaded_cloudlet

from cloudlet.testing import RunningCloudlet

pytestmark = pytest.mark.usefixtures("server")


def jpg() -> io.BytesIO:
    return io.BytesIO(encoded(decoded(png().getvalue()), "JPEG"))


def test_upload_response_has_the_fields_that_clients_use(server: RunningCloudlet) -> None:
    picture = png()
    result = uploader.upload(picture, public_id="fields/one", tags=["b", "a"], context={"alt": "x|y=z"})
    assert result["public_id"] == "fields/one"
    assert (result["width"], result["height"], result["format"]) == (30, 20, "png")
    assert result["bytes"] == len(picture.getvalue())
    assert result["etag"] == hashlib.md5(picture.getvalue(), usedforsecurity=False).hexdigest()
    assert result["tags"] == ["a", "b"]
    assert result["context"] == {"custom": {"alt": "x|y=z"}}
    assert result["url"] == f"{server.url}/test/image/upload/v{result['version']}/fields/one.png"
    assert utils.verify_api_response_signature(result["public_id"], result["version"], result["signature"])


def test_an_overwrite_keeps_the_asset_id_and_raises_the_version() -> None:
    first = uploader.upload(png(), public_id="over", tags=["old"])
    second = uploader.upload(png(40), public_id="over", overwrite=True, invalidate=True)
    assert second["asset_id"] == first["asset_id"]
    assert second["version"] > first["version"]
    assert second["overwritten"] is True
    assert second["width"] == 40
    kept = uploader.upload(png(50), public_id="over", overwrite=False)
    assert kept["existing"] is True
    assert (kept["width"], kept["version"]) == (40, second["version"])


def test_version_increases_even_after_destroy() -> None:
    first = uploader.upload(png(), public_id="again")
    assert uploader.destroy("again")["result"] == "ok"
    second = uploader.upload(png(), public_id="again")
    assert second["version"] > first["version"]
    assert second["asset_id"] != first["asset_id"]


def test_destroy_reports_ok_or_not_found() -> None:
    uploader.upload(png(), public_id="doomed", type="authenticated")
    assert uploader.destroy("doomed")["result"] == "not found"
    assert uploader.destroy("doomed", type="authenticated", invalidate=True)["result"] == "ok"
    assert uploader.destroy("doomed", type="authenticated")["result"] == "not found"


def test_authenticated_upload_returns_the_signed_url_of_the_sdk() -> None:
    result = uploader.upload(png(), public_id="ü/ä b~c", type="authenticated")
    built, _ = utils.cloudinary_url(
        "ü/ä b~c", type="authenticated", format="png", sign_url=True, version=result["version"]
    )
    assert result["url"] == built


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        (
            {"api_secret": "wrong"},
            AuthorizationRequired,
            r"Invalid Signature \w{40}\. String to sign - 'timestamp=\d+'\.",
        ),
        ({"api_key": "wrong"}, AuthorizationRequired, "Unknown API key wrong"),
        ({"cloud_name": "wrong"}, AuthorizationRequired, "Invalid cloud_name wrong"),
    ],
)
def test_wrong_credentials_are_refused(options: dict[str, str], error: type[Error], text: str) -> None:
    with pytest.raises(error, match=text):
        uploader.upload(png(), **options)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_signatures_of_every_version_and_algorithm_are_accepted(algorithm: str, version: int) -> None:
    result = uploader.upload(
        png(), public_id=f"signed_{algorithm}_{version}", context={"a": "b&c=d"},
        signature_algorithm=algorithm, signature_version=version,
    )  # fmt: skip
    assert result["context"]["custom"] == {"a": "b&c=d"}


def test_stale_timestamp_is_refused() -> None:
    params = {"timestamp": 1, "public_id": "stale"}
    with pytest.raises(BadRequest, match=r"Stale request - reported time is 1970-01-01 00:00:01 \+0000"):
        uploader.call_api("destroy", params)


def test_timestamps_may_be_in_milliseconds_or_fractions() -> None:
    """Directus, for example, sends milliseconds. Old timestamps are stale in either unit."""
    now = time.time()
    for moment in (str(round(now)), str(round(now * 1000)), f"{now:.3f}"):
        answer = uploader.call_api("upload", {"timestamp": moment, "public_id": "moment"}, file=png())
        assert answer["public_id"] == "moment"
    with pytest.raises(BadRequest, match="Stale request - reported time is 20"):
        uploader.call_api("destroy", {"timestamp": round((now - 3700) * 1000), "public_id": "moment"})
    with pytest.raises(BadRequest, match="Invalid timestamp soon"):
        uploader.call_api("destroy", {"timestamp": "soon", "public_id": "moment"})
    link = utils.private_download_url("moment", "png", expires_at=round((now - 60) * 1000))
    assert urllib3.request("GET", link, timeout=10).status == 401


def test_data_uris_and_auto_detection() -> None:
    encoded = base64.b64encode(png().getvalue()).decode()
    assert uploader.upload(f"data:image/png;base64,{encoded}")["format"] == "png"
    assert uploader.upload(png(), resource_type="auto")["resource_type"] == "image"
    raw = uploader.upload(io.BytesIO(b"plain"), resource_type="auto", filename="notes.txt", use_filename=True)
    assert raw["resource_type"] == "raw"
    assert raw["public_id"].startswith("notes_")
    assert raw["public_id"].endswith(".txt")


def test_remote_urls_only_from_allowed_hosts(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(png().getvalue())

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(tmp_path))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as remote:
        threading.Thread(target=remote.serve_forever, daemon=True).start()
        found = uploader.upload(f"http://127.0.0.1:{remote.server_port}/logo.png")
        assert (found["width"], found["original_filename"]) == (30, "logo")
        with pytest.raises(BadRequest, match="404"):
            uploader.upload(f"http://127.0.0.1:{remote.server_port}/none.png")
        remote.shutdown()
    with pytest.raises(BadRequest, match="host localhost is not allowed"):
        uploader.upload("http://localhost:1/x.png")
    with pytest.raises(BadRequest, match="is not allowed"):
        uploader.upload("http://169.254.169.254/latest/meta-data")


def test_use_filename_takes_the_public_id_from_the_file_name() -> None:
    assert (
        uploader.upload(png(), filename="My File.png", use_filename=True, unique_filename=False)["public_id"]
        == "My_File"
    )
    unique = uploader.upload(png(), filename="My File.png", use_filename=True)
    assert unique["public_id"].startswith("My_File_")
    folder = uploader.upload(png(), public_id="x", folder="in/here")
    assert (folder["public_id"], folder["folder"]) == ("in/here/x", "in/here")


def test_formats_may_be_restricted_and_converted() -> None:
    with pytest.raises(BadRequest, match="Image file format png not allowed"):
        uploader.upload(png(), allowed_formats=["jpg"])
    assert uploader.upload(png(), allowed_formats=["jpg"], format="jpg")["format"] == "jpg"
    assert uploader.upload(png(), allowed_formats=["jpg", "png"], format="jpg")["format"] == "png"
    assert uploader.upload(jpg(), allowed_formats=["jpeg", "png"], format="png")["format"] == "jpg"
    small = uploader.upload(png(200, 100), transformation={"width": 50, "crop": "scale"})
    assert (small["width"], small["height"]) == (50, 25)


def test_error_names_the_format_that_is_not_allowed() -> None:
    for content, text in (
        (b"nonsense", "An unknown file format not allowed"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "Image file format mov not allowed"),
    ):
        with pytest.raises(BadRequest, match=f"^{text}$"):
            uploader.upload(io.BytesIO(content), allowed_formats=["jpg", "png"], filename="x.png")
    with pytest.raises(BadRequest, match=r"^Invalid image file$"):
        uploader.upload(io.BytesIO(b"nonsense"), filename="x.png")
    with pytest.raises(BadRequest, match=r"^An unknown file format not allowed$"):
        uploader.upload(io.BytesIO(b"x"), resource_type="raw", allowed_formats=["pdf"], filename="noextension")


@pytest.mark.parametrize("text", ["3", base64.b64encode(png(90, 90).getvalue() * 40).decode(), "logo.png", "ftp://x/y"])
def test_text_in_the_file_field_must_be_a_supported_url(text: str) -> None:
    answer = send_field(text)
    assert (answer.status, answer.json()["error"]["message"]) == (400, f"Unsupported source URL: {text[:200]}")
    assert answer.headers["X-Cld-Error"] == f"Unsupported source URL: {text[:200]}"


def test_bytes_without_a_file_name_are_accepted() -> None:
    assert send_field(png().getvalue()).json()["format"] == "png"


def send_field(file: str | bytes) -> Any:
    """Send a form whose ``file`` is an ordinary field, without a file name. Return the response."""
    params = {"timestamp": utils.now()}
    signed = utils.sign_request(params, {**vars(cloudinary.config())})
    return urllib3.request("POST", utils.cloudinary_api_url("upload"), fields={**signed, "file": file}, timeout=10)


def test_incoming_transformation_may_overlay_a_stored_asset() -> None:
    uploader.upload(png(10, 10, "blue"), public_id="marks/logo")
    overlay = {"overlay": "marks:logo", "gravity": "north_west"}
    marked = uploader.upload(png(40, 40, "red"), transformation=[overlay])
    picture = Image.open(io.BytesIO(urllib3.request("GET", marked["url"], timeout=10).data)).convert("RGB")
    assert (picture.getpixel((5, 5)), picture.getpixel((30, 30))) == ((0, 0, 255), (255, 0, 0))
    with pytest.raises(NotFound, match="Unknown or invalid referenced image marks/none of type upload"):
        uploader.upload(png(), transformation=[{"overlay": "marks:none"}])


def test_eager_transformations_are_made_and_listed() -> None:
    result = uploader.upload(png(100, 50), public_id="eager", eager=[{"width": 20, "crop": "scale", "format": "jpg"}])
    (made,) = result["eager"]
    assert (made["transformation"], made["format"], made["width"], made["height"]) == ("c_scale,w_20", "jpg", 20, 10)
    (derived,) = api.resource("eager")["derived"]
    assert (derived["transformation"], derived["bytes"]) == ("c_scale,w_20", made["bytes"])
    with pytest.raises(BadRequest, match="nonsense"):
        uploader.upload(png(), eager="c_nonsense,w_1")


def test_responsive_breakpoints_are_returned() -> None:
    wanted = [{"create_derived": False, "max_width": 90, "min_width": 30, "max_images": 3, "bytes_step": 1}]
    (answer,) = uploader.upload(png(120, 80), responsive_breakpoints=wanted)["responsive_breakpoints"]
    widest, middle, narrowest = (entry["width"] for entry in answer["breakpoints"])
    assert (widest, narrowest) == (90, 30)
    assert 30 < middle < 90
    assert all(set(entry) == {"width", "height", "bytes", "url", "secure_url"} for entry in answer["breakpoints"])
    for wrong in ({"min_width": "\u00b2"}, {"max_images": 201}, {"bytes_step": 0}):
        with pytest.raises(BadRequest, match="responsive_breakpoints"):
            uploader.upload(png(), responsive_breakpoints=[wrong])


def test_explicit_rename_tags_and_context() -> None:
    uploader.upload(png(), public_id="first")
    assert uploader.explicit("first", type="upload", tags=["t"], context={"k": "v"})["tags"] == ["t"]
    with pytest.raises(NotFound, match="Resource not found - nobody"):
        uploader.explicit("nobody", type="upload")
    renamed = uploader.rename("first", "folder/second")
    assert (renamed["public_id"], renamed["folder"]) == ("folder/second", "folder")
    uploader.upload(png(60), public_id="third")
    with pytest.raises(BadRequest, match="to_public_id folder/second already exists"):
        uploader.rename("third", "folder/second")
    assert uploader.rename("third", "folder/second", overwrite=True)["width"] == 60
    assert uploader.add_tag("x,y", ["folder/second", "nobody"])["public_ids"] == ["folder/second"]
    uploader.remove_tag("x", "folder/second")
    uploader.add_context({"a": "1"}, ["folder/second"])
    shown = api.resource("folder/second")
    assert (shown["tags"], shown["context"]) == (["y"], {"custom": {"a": "1"}})


def test_versions_increase_under_every_public_id() -> None:
    low = uploader.upload(png(), public_id="low")
    for _ in range(5):
        high = uploader.upload(png(), public_id="high")
    moved = uploader.rename("low", "high", overwrite=True)
    assert moved["version"] > high["version"]
    assert uploader.upload(png(), public_id="low")["version"] > low["version"]


def test_a_path_without_a_resource_type_means_image() -> None:
    """Many clients other than the SDKs send ``POST /v1_1/{cloud}/upload``."""
    api.create_upload_preset(name="typeless", unsigned=True)
    unsigned = uploader.call_api("../upload", {"upload_preset": "typeless"}, file=png(), unsigned=True)
    assert (unsigned["resource_type"], unsigned["format"]) == ("image", "png")
    assert uploader.call_api("../upload", _signed(public_id="typeless"), file=png())["public_id"] == "typeless"
    assert uploader.call_api("../explicit", _signed(public_id="typeless", tags="t"))["tags"] == ["t"]
    assert uploader.call_api("../rename", _signed(from_public_id="typeless", to_public_id="typed"))["tags"] == ["t"]
    tagged = uploader.call_api("../tags", _signed(command="add", tag="u", public_ids=["typed"]))
    assert tagged["public_ids"] == ["typed"]
    assert uploader.call_api("../destroy", _signed(public_id="typed"))["result"] == "ok"


def _signed(**params: object) -> dict[str, object]:
    return {"timestamp": utils.now(), "type": "upload", **params}


def test_unsigned_uploads_need_a_preset_that_allows_them() -> None:
    with pytest.raises(BadRequest, match="Upload preset not found"):
        uploader.unsigned_upload(png(), "no_such_preset")
    api.create_upload_preset(name="signed_only", tags="preset")
    api.create_upload_preset(name="open", unsigned=True, folder="inbox", tags="preset")
    with pytest.raises(BadRequest, match="must be whitelisted for unsigned uploads"):
        uploader.unsigned_upload(png(), "signed_only")
    result = uploader.unsigned_upload(png(), "open")
    assert result["public_id"].startswith("inbox/")
    assert result["tags"] == ["preset"]
    with pytest.raises(BadRequest, match="Backup parameter is not allowed when using unsigned upload"):
        uploader.unsigned_upload(png(), "open", backup=True)
    with pytest.raises(BadRequest, match=r"Return delete token parameter is not allowed when .* Only upload_preset,ca"):
        uploader.unsigned_upload(png(), "open", return_delete_token=True)
    assert uploader.upload(png(), upload_preset="signed_only", tags=["mine"])["tags"] == ["mine"]


def test_unsigned_upload_ignores_additional_fields_of_clients() -> None:
    """The React Native SDK sends ``unsigned``; upload widgets send the name, type and number of the file."""
    api.create_upload_preset(name="added", unsigned=True)
    added = {
        "unsigned": "true", "api_key": "1234567890", "timestamp": utils.now(), "name": "photo.png", "utf8": "yes",
        "relativePath": "null", "resource_type": "image", "cloud_name": "test", "source": "uw", "callback": "/c.html",
    }  # fmt: skip
    params = {"upload_preset": "added", "public_id": "added", "tags": "t", **added}
    result = uploader.call_api("upload", params, file=png(), unsigned=True)
    assert (result["public_id"], result["tags"]) == ("added", ["t"])


def test_unsigned_upload_without_a_preset_is_refused() -> None:
    for params in ({}, {"api_key": "1234567890", "timestamp": utils.now()}, {"public_id": "x", "unsigned": "true"}):
        with pytest.raises(BadRequest, match=r"^Upload preset must be specified when using unsigned upload$"):
            uploader.call_api("upload", params, file=png(), unsigned=True)


def test_delete_token_deletes_only_its_own_upload() -> None:
    first = uploader.upload(png(), public_id="token", return_delete_token=True)["delete_token"]
    second = uploader.upload(png(50), public_id="token", return_delete_token=True)["delete_token"]

    def take_back(token: str) -> dict[str, str]:
        answer: dict[str, str] = uploader.call_api("../delete_by_token", {"token": token}, unsigned=True)
        return answer

    assert take_back(first)["result"] == "not found"
    with pytest.raises(BadRequest, match="Invalid token"):
        take_back(second[:-8] + "AAAAAAA=")
    assert take_back(second)["result"] == "ok"


def test_archive_has_the_assets_of_its_tag() -> None:
    for number in range(3):
        uploader.upload(png(10 + number), public_id=f"zip/{number}", tags=["zipped"])
    result = uploader.create_zip(tags=["zipped"], target_public_id="made/all")
    assert (result["file_count"], result["resource_type"], result["public_id"]) == (3, "raw", "made/all.zip")
    with pytest.raises(NotFound, match="Resource not found - zip/9"):
        uploader.create_zip(public_ids=["zip/0", "zip/9"])
    downloaded = utils.download_zip_url(public_ids=["zip/0", "zip/1"])
    assert sorted(names_in(downloaded)) == ["zip/0.png", "zip/1.png"]


def names_in(url: str) -> list[str]:
    response = urllib3.request("GET", url, timeout=10)
    assert response.status == 200
    return zipfile.ZipFile(io.BytesIO(response.data)).namelist()


def test_explode_accepts_a_pdf_with_all_pages(server: RunningCloudlet) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (60, 40), "white").save(
        buffer, "PDF", save_all=True, append_images=[Image.new("RGB", (60, 40), "black")]
    )
    uploaded = uploader.upload(io.BytesIO(buffer.getvalue()), public_id="two_pages")
    assert (uploaded["format"], uploaded["pages"]) == ("pdf", 2)
    assert uploader.explode("two_pages", page="all", format="png")["status"] == "processing"
    with pytest.raises(BadRequest, match="pg_all"):
        uploader.explode("two_pages", page=1)


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    with threaded_cloudlet(data=tmp_path) as first:
        before = uploader.upload(png(), public_id="kept", tags=["t"], **first.sdk_config)
    with threaded_cloudlet(data=tmp_path) as second:
        after = api.resource("kept", **second.sdk_config)
        assert (after["asset_id"], after["version"], after["tags"]) == (before["asset_id"], before["version"], ["t"])
        url = after["url"]
        assert urllib3.request("GET", url, timeout=10).data == png().getvalue()


def test_text_sprite_and_multi_are_delivered(server: RunningCloudlet) -> None:
    words = uploader.text("hello, 100% world/", public_id="words", font_size=30, font_color="#ff0000")
    assert words["type"] == "text"
    assert words["width"] > words["height"] > 20
    for name in ("a", "b"):
        uploader.upload(png(), public_id=f"parts/{name}", tags=["parts"])
    made = uploader.generate_sprite("parts")
    assert made["image_infos"]["parts/b"] == {"width": 30, "height": 20, "x": 0, "y": 20}
    animated = uploader.multi("parts", format="gif")
    for url, content_type in (
        (words["url"], "image/png"),
        (made["image_url"], "image/png"),
        (made["css_url"], "text/css"),
        (animated["url"], "image/gif"),
    ):
        response = urllib3.request("GET", url, timeout=10)
        assert (response.status, response.headers["Content-Type"].partition(";")[0]) == (200, content_type)
    with pytest.raises(NotFound, match="No images were found"):
        uploader.multi("no_such_tag")
