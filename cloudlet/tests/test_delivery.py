"""Delivery at the URLs of the official SDK: status, bytes and headers."""

import io
import zipfile
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime

import cloudinary
import cloudinary.api
import cloudinary.uploader
import pytest
import requests
from deliveries import PHOTO, TIMEOUT_SECONDS, get, refused, upload, url
from pictures import BLUE, RED, decoded, encoded, halves
from PIL import Image

from cloudlet.testing import RunningCloudlet
from cloudlet.transformations.breakpoints import Breakpoints

pytestmark = pytest.mark.usefixtures("server")


@pytest.mark.parametrize("kind", ["upload", "private", "authenticated"])
@pytest.mark.parametrize("long_signature", [False, True])
def test_originals_are_byte_exact(kind: str, long_signature: bool) -> None:
    made = upload(PHOTO, "exact/photo", type=kind)
    address = url(
        "exact/photo",
        format="png",
        type=kind,
        version=made["version"],
        sign_url=True,
        long_url_signature=long_signature,
    )
    response = get(address)
    assert response.content == PHOTO
    assert response.headers["Content-Type"] == "image/png"


DOCUMENT = encoded(Image.new("RGB", (100, 50), RED), "PDF")


def test_pdf_is_delivered_unchanged_and_as_an_image_of_a_page() -> None:
    upload(DOCUMENT, "exact/ticket")
    assert get(url("exact/ticket", format="pdf")).content == DOCUMENT
    page = get(url("exact/ticket", format="jpg", page=1))
    assert page.headers["Content-Type"] == "image/jpeg"
    assert decoded(page.content).format == "JPEG"
    refused(get(url("exact/ticket", format="jpg", page=7)), 400, "pg_7")


def test_ticket_thumbnail_is_filled_to_200_by_200() -> None:
    upload(PHOTO, "tickets/qr")
    response = get(url("tickets/qr", raw_transformation="w_200,h_200,c_fill"))
    assert decoded(response.content).size == (200, 200)


def test_any_version_in_a_signed_url_delivers_the_current_bytes() -> None:
    made = upload(PHOTO, "versions/photo")
    for version in (1, made["version"], 99999):
        assert get(url("versions/photo", sign_url=True, version=version)).content == PHOTO


def test_only_urls_of_the_current_version_are_immutable() -> None:
    made = upload(PHOTO, "versions/cache")
    current = get(url("versions/cache", version=made["version"])).headers["Cache-Control"]
    other = get(url("versions/cache")).headers["Cache-Control"]
    assert "immutable" in current
    assert "must-revalidate" in other


def test_overwrite_replaces_derived_files_at_once() -> None:
    upload(halves(), "fresh/photo")
    address = url("fresh/photo", raw_transformation="c_crop,g_west,w_10,h_10", format="png")
    first = get(address)
    upload(encoded(Image.new("RGB", (50, 50), BLUE)), "fresh/photo", invalidate=True)
    second = get(address)
    assert decoded(first.content).convert("RGB").getpixel((5, 5)) == RED
    assert decoded(second.content).convert("RGB").getpixel((5, 5)) == BLUE
    assert first.headers["ETag"] != second.headers["ETag"]


def test_changed_overlay_is_rendered_again() -> None:
    upload(PHOTO, "layers/base")
    address = url("layers/base", raw_transformation="l_layers:logo,w_400,h_300", format="png")
    colors = []
    for color in (RED, BLUE):
        upload(encoded(Image.new("RGB", (10, 10), color)), "layers/logo")
        colors.append(decoded(get(address).content).convert("RGB").getpixel((200, 150)))
    assert colors == [RED, BLUE]


@pytest.mark.parametrize("transformation", ["", "w_20,h_20,c_fill"])
def test_concurrent_overwrites_never_fail_or_tear_a_read(transformation: str) -> None:
    versions = [encoded(Image.new("RGB", (60, 60), color)) for color in (RED, BLUE)]
    upload(versions[0], "busy/photo")
    address = url("busy/photo", raw_transformation=transformation, format="png")

    def overwrite(number: int) -> None:
        upload(versions[number % 2], "busy/photo")

    with ThreadPoolExecutor(8) as pool:
        writes = [pool.submit(overwrite, number) for number in range(40)]
        answers = list(pool.map(lambda _: get(address), range(150)))
        for write in writes:
            write.result()
    assert {answer.status_code for answer in answers} == {200}
    pixels = {decoded(answer.content).convert("RGB").getpixel((9, 9)) for answer in answers}
    assert pixels <= {RED, BLUE}


def test_last_modified_increases_with_every_overwrite() -> None:
    dates = []
    for _ in range(2):
        upload(PHOTO, "dated/photo")
        dates.append(get(url("dated/photo")).headers["Last-Modified"])
    assert parsedate_to_datetime(dates[0]) < parsedate_to_datetime(dates[1])


def test_named_transformation_follows_its_definition() -> None:
    upload(PHOTO, "named/photo")
    cloudinary.api.create_transformation("narrow", "w_10,c_scale/jpg", timeout=TIMEOUT_SECONDS)
    address = url("named/photo", transformation="narrow")
    first = decoded(get(address).content)
    assert (first.size, first.format) == ((10, 8), "JPEG")
    cloudinary.api.update_transformation("narrow", unsafe_update="w_20,c_scale", timeout=TIMEOUT_SECONDS)
    second = decoded(get(address).content)
    assert (second.size, second.format) == ((20, 15), "PNG")
    refused(get(url("named/photo", transformation="unheard_of")), 400, "t_unheard_of")


def test_list_of_a_tag_has_only_public_assets() -> None:
    upload(PHOTO, "tagged/open", tags=["gallery"])
    upload(PHOTO, "tagged/closed", tags=["gallery"], type="authenticated")
    listed = get(url("gallery.json", type="list")).json()["resources"]
    assert [entry["public_id"] for entry in listed] == ["tagged/open"]
    refused(get(url("nothing.json", type="list")), 404, "nothing")


def test_fl_getinfo_returns_the_sizes() -> None:
    upload(PHOTO, "info/photo")
    info = get(url("info/photo", raw_transformation="w_40,h_40,c_fill,fl_getinfo")).json()
    assert (info["input"]["width"], info["output"]["width"], info["output"]["height"]) == (400, 40, 40)


def test_breakpoints_are_returned_as_json() -> None:
    """`use_cache` of the SDK asks for widths in descending order, each a step in bytes smaller."""
    upload(encoded(Image.effect_noise((400, 300), 90), "PNG"), "wide/photo")
    size = cloudinary.api.resource("wide/photo", timeout=TIMEOUT_SECONDS)["bytes"]
    answer = get(url("wide/photo", width="auto:breakpoints:json", crop="scale"))
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {"breakpoints": Breakpoints().widths(400, size)}
    fine = get(url("wide/photo", raw_transformation="w_auto:breakpoints_40_300_1_4:json")).json()["breakpoints"]
    assert (fine[0], fine[-1], len(fine)) == (300, 40, 4)
    assert fine == sorted(fine, reverse=True)
    half = get(url("wide/photo", raw_transformation="w_200,c_scale/c_scale,w_auto:breakpoints:json")).json()
    assert half["breakpoints"][0] == 200
    image = cloudinary.CloudinaryImage("wide/photo", format="png")
    assert image._fetch_breakpoints() == Breakpoints(bytes_step=20 * 1024).widths(400, size)
    refused(get(url("wide/photo", raw_transformation="w_auto:breakpoints_5:json")), 400, "breakpoints_5")


def test_conditions_and_variables_of_the_sdk_are_evaluated() -> None:
    upload(PHOTO, "ask/photo", tags=["big"], context={"wide": "120"})
    steps = [
        {"variables": [["$wide", "ctx:!wide!_to_i"]]},
        {"if": "width > 300 && !big!_in_tags", "width": "$wide / 2", "crop": "scale"},
        {"if": "else", "width": 10, "crop": "scale"},
    ]
    address = url("ask/photo", transformation=steps, format="png")
    assert decoded(get(address).content).size == (60, 45)
    cloudinary.uploader.remove_tag("big", ["ask/photo"], timeout=TIMEOUT_SECONDS)
    assert decoded(get(address).content).size == (10, 8)
    refused(get(url("ask/photo", raw_transformation="w_$gone,c_scale")), 400, "$gone has no value")
    refused(get(url("ask/photo", raw_transformation="if_du_gt_3,w_10")), 400, "if_du_gt_3")


def test_derived_file_is_rendered_once() -> None:
    upload(PHOTO, "once/photo")
    address = url("once/photo", raw_transformation="w_300,e_blur:1000", format="png")
    first, second = get(address), get(address)
    assert first.headers["ETag"] == second.headers["ETag"]
    assert first.content == second.content


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("image/avif,image/webp,*/*", "image/avif"),
        ("image/webp,*/*", "image/webp"),
        ("*/*", "image/png"),
    ],
)
def test_f_auto_follows_the_accept_header(accept: str, content_type: str) -> None:
    upload(PHOTO, "auto/photo")
    response = get(url("auto/photo", fetch_format="auto", quality="auto"), headers={"Accept": accept})
    assert response.headers["Content-Type"] == content_type
    assert response.headers["Vary"] == "Accept"


@pytest.mark.parametrize(
    ("transformation", "filename"),
    [
        ("fl_attachment", "photo.png"),
        ("fl_attachment:my_ticket", "my_ticket.png"),
        ("fl_attachment:w_10", "w_10.png"),
    ],
)
def test_attachment_has_a_file_name(transformation: str, filename: str) -> None:
    upload(PHOTO, "attached/photo")
    response = get(url("attached/photo", raw_transformation=transformation, format="png"))
    assert response.content == PHOTO
    assert f'attachment; filename="{filename}"' in response.headers["Content-Disposition"]


def test_conditional_requests() -> None:
    upload(PHOTO, "fresh/conditional")
    address = url("fresh/conditional")
    first = get(address)
    same = get(address, headers={"If-None-Match": first.headers["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert get(address, headers={"If-None-Match": '"other"'}).status_code == 200
    assert get(address, headers={"If-Modified-Since": first.headers["Last-Modified"]}).status_code == 304


@pytest.mark.parametrize(
    ("asked", "status", "expected"),
    [
        ("bytes=0-9", 206, PHOTO[:10]),
        ("bytes=10-", 206, PHOTO[10:]),
        ("bytes=-5", 206, PHOTO[-5:]),
        ("bytes=0-999999999", 206, PHOTO),
        ("bytes=999999999-", 416, b""),
        ("bytes=5-2", 416, b""),
        ("bytes=0-1,4-5", 200, PHOTO),
        ("lines=1-2", 200, PHOTO),
    ],
)
def test_ranges(asked: str, status: int, expected: bytes) -> None:
    upload(PHOTO, "ranges/photo")
    response = get(url("ranges/photo"), headers={"Range": asked})
    assert (response.status_code, response.content) == (status, expected)
    if status == 206:
        assert response.headers["Content-Range"].endswith(f"/{len(PHOTO)}")


def test_head_has_the_headers_of_get() -> None:
    upload(PHOTO, "head/photo")
    address = url("head/photo", raw_transformation="w_20")
    head, full = requests.head(address, timeout=TIMEOUT_SECONDS), get(address)
    assert head.content == b""
    for name in ("Content-Length", "Content-Type", "ETag", "Cache-Control"):
        assert head.headers[name] == full.headers[name]


def test_preflight_is_allowed() -> None:
    response = requests.options(url("head/photo"), timeout=TIMEOUT_SECONDS)
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_large_file_is_streamed_completely(server: RunningCloudlet) -> None:
    content = bytes(range(256)) * 20_000
    upload(content, "large/file.bin", resource_type="raw")
    assert get(url("large/file.bin", resource_type="raw")).content == content


def test_raw_file_is_delivered_unchanged_and_cannot_be_transformed() -> None:
    upload(b"a;b\n", "data/list.csv", resource_type="raw")
    response = get(url("data/list.csv", resource_type="raw"))
    assert response.content == b"a;b\n"
    assert response.headers["Content-Type"].startswith("text/csv")
    refused(get(url("data/list.csv", resource_type="raw", raw_transformation="w_10")), 400, "w_10")


def test_extension_converts_the_format() -> None:
    upload(PHOTO, "convert/photo")
    assert decoded(get(url("convert/photo", format="webp")).content).format == "WEBP"
    refused(get(url("convert/photo", format="exe")), 400, "exe")


def test_public_id_may_have_dots_and_any_letters() -> None:
    for public_id in ("dots/a.b.c", "dots/żółw 東京", "dots/it's (1)"):
        upload(PHOTO, public_id)
        assert get(url(public_id, sign_url=True, type="upload")).content == PHOTO
        assert get(url(public_id, sign_url=True, format="png")).content == PHOTO


def test_folder_named_like_a_transformation_is_found() -> None:
    upload(PHOTO, "e_tickets/photo")
    assert get(url("e_tickets/photo", force_version=False)).content == PHOTO
    upload(PHOTO, "v2/picture")  # no other test has a "picture", which this URL would then mean
    assert get(url("v2/picture")).content == PHOTO


@pytest.mark.parametrize("missing", ["nowhere/photo", "nowhere"])
def test_error_names_the_missing_asset(missing: str) -> None:
    refused(get(url(missing, format="png")), 404, f"Resource not found - {missing}")


@pytest.mark.parametrize("transformation", ["zz_3", "w_200,zz_3", "w_10/zz_3"])
def test_unknown_transformation_is_refused_by_name(transformation: str) -> None:
    upload(PHOTO, "unknown/photo")
    refused(get(url("unknown/photo", raw_transformation=transformation)), 400, "zz_3")


def test_error_names_the_missing_overlay() -> None:
    upload(PHOTO, "layers/alone")
    refused(
        get(url("layers/alone", raw_transformation="l_nowhere:logo")),
        404,
        "referenced image nowhere/logo of type upload",
    )


def test_default_image_replaces_a_missing_asset() -> None:
    upload(halves(), "avatar")
    for missing, shown in (
        ("people/nobody", "people/nobody"),
        ("people/никто", r"people/\u043d\u0438\u043a\u0442\u043e"),
    ):
        response = get(url(missing, default_image="avatar.png", format="png"))
        assert response.status_code == 200
        assert response.content == halves()
        assert response.headers["X-Cld-Error"] == f"Resource not found - {shown}"


def test_seo_urls_are_delivered() -> None:
    upload(PHOTO, "seo/photo")
    address = url("seo/photo", url_suffix="summer-night", format="png", private_cdn=True, sign_url=True)
    assert "/images/" in address
    response = get(address)
    assert response.content == PHOTO
    assert get(url("seo/photo", shorten=True)).content == PHOTO


def test_raw_zip_is_delivered_unchanged() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "a")
    upload(buffer.getvalue(), "archives/a.zip", resource_type="raw")
    assert get(url("archives/a.zip", resource_type="raw")).content == buffer.getvalue()


def test_error_header_escapes_non_ascii_letters() -> None:
    refused(get(url("nowhere/東京")), 404, r"nowhere/\u6771\u4eac")
    refused(get(url("nowhere/x", raw_transformation="w_東")), 400, r"w_\u6771")
