"""Download URLs of the official SDK: private downloads, archives and backups."""

import io
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cloudinary
import cloudinary.api
import cloudinary.uploader
import pytest
import requests
from cloudinary.utils import (
    download_backedup_asset,
    download_folder,
    download_zip_url,
    private_download_url,
    zip_download_url,
)
from pictures import decoded, picture

from cloudlet.assets import archives

TIMEOUT_SECONDS = 60
PHOTO = picture()

pytestmark = pytest.mark.usefixtures("server")


@pytest.fixture(scope="module")
def server_options() -> list[str]:
    return ["--backup"]


def upload(public_id: str, content: bytes = PHOTO, **options: Any) -> dict[str, Any]:
    result: dict[str, Any] = cloudinary.uploader.upload(
        io.BytesIO(content), public_id=public_id, overwrite=True, timeout=TIMEOUT_SECONDS, **options
    )
    return result


def get(url: str) -> requests.Response:
    return requests.get(url, timeout=TIMEOUT_SECONDS)


def zipped(url: str) -> dict[str, bytes]:
    response = get(url)
    assert response.status_code == 200, response.text
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def refused(response: requests.Response, status: int, words: str) -> None:
    assert response.status_code == status
    assert words in response.json()["error"]["message"]


@pytest.mark.parametrize("kind", ["upload", "private", "authenticated"])
def test_private_download_needs_a_valid_signature(kind: str) -> None:
    upload("downloads/photo", type=kind)
    url = private_download_url("downloads/photo", "png", type=kind)
    assert get(url).content == PHOTO
    refused(get(url.replace("photo", "other")), 401, "Invalid Signature")
    refused(get(private_download_url("downloads/none", "png", type=kind)), 404, "downloads/none")


def test_download_converts_the_format() -> None:
    upload("downloads/convert", type="private")
    assert decoded(get(private_download_url("downloads/convert", "jpg", type="private")).content).format == "JPEG"


def test_download_as_an_attachment() -> None:
    upload("downloads/attached", type="private")
    response = get(private_download_url("downloads/attached", "png", type="private", attachment=True))
    assert 'filename="attached.png"' in response.headers["Content-Disposition"]


def test_raw_downloads() -> None:
    upload("downloads/list.csv", b"a,b\n", resource_type="raw", type="private")
    url = private_download_url("downloads/list.csv", None, resource_type="raw", type="private")
    assert get(url).content == b"a,b\n"


def test_links_expire() -> None:
    upload("downloads/brief", type="private")
    now = int(time.time())
    good = private_download_url("downloads/brief", "png", type="private", expires_at=now + 60)
    late = private_download_url("downloads/brief", "png", type="private", expires_at=now - 1)
    assert get(good).content == PHOTO
    refused(get(late), 401, "expired")
    refused(get(good.replace(f"expires_at={now + 60}", f"expires_at={now + 600}")), 401, "Invalid Signature")


@pytest.mark.parametrize("link", [lambda **options: download_zip_url(public_ids=["dated/photo"], **options),
                                  lambda **options: download_folder("dated/", **options)])  # fmt: skip
def test_archive_link_is_valid_until_expires_at(link: Callable[..., str]) -> None:
    """`expires_at` replaces the hour for which a signature is valid without it; it may be longer or shorter."""
    upload("dated/photo")
    now = int(time.time())
    fractional = now + 60.125  # as JavaScript clients send it
    for signed, expires in ((now, now + 86_400), (now - 7200, now + 86_400), (now - 7200, fractional)):
        assert set(zipped(link(timestamp=signed, expires_at=expires))) == {"dated/photo.png"}
    refused(get(link(timestamp=now - 7200)), 400, "Stale request")
    refused(get(link(timestamp=now, expires_at=now - 1)), 401, "expired")
    refused(get(link(timestamp=now, expires_at="soon")), 400, "must be seconds since 1970")
    later = link(timestamp=now - 7200, expires_at=now - 1).replace(f"at={now - 1}", f"at={now + 60}")
    refused(get(later), 401, "Invalid Signature")


def test_archives_by_id_tag_and_prefix() -> None:
    for number in range(3):
        upload(f"pack/photo{number}", tags=["packed"])
    upload("pack/notes.txt", b"notes" * 1000, resource_type="raw")
    assert set(zipped(download_zip_url(public_ids=["pack/photo0", "pack/photo2"]))) == {
        "pack/photo0.png",
        "pack/photo2.png",
    }
    everything = zipped(download_folder("pack/"))
    assert everything["pack/photo1.png"] == PHOTO
    assert everything["pack/notes.txt"] == b"notes" * 1000
    assert len(zipped(download_zip_url(tags=["packed"], flatten_folders=True))) == 3
    assert set(zipped(zip_download_url("packed"))) == {f"pack/photo{number}.png" for number in range(3)}


def test_flattened_names_stay_unique() -> None:
    upload("one/twin")
    upload("two/twin")
    names = set(zipped(download_zip_url(public_ids=["one/twin", "two/twin"], flatten_folders=True)))
    assert names == {"one_twin.png", "two_twin.png"}


def test_original_file_names_stay_inside_the_folder() -> None:
    upload("named/a", filename_override="../../evil.png")
    (name,) = zipped(download_zip_url(public_ids=["named/a"], use_original_filename=True))
    assert name == "named/evil.png"


def test_archives_of_transformed_files() -> None:
    upload("small/photo")
    options = {"public_ids": ["small/photo"], "transformations": [{"width": 40, "crop": "scale", "format": "jpg"}]}
    ((name, content),) = zipped(download_zip_url(**options)).items()
    assert name == "small/photo/c_scale,w_40.jpg"
    assert decoded(content).size == (40, 30)


def test_error_names_the_asset_that_an_archive_lacks() -> None:
    upload("pack/there")
    options = {"public_ids": ["pack/there", "pack/gone"]}
    refused(get(download_zip_url(**options)), 404, "pack/gone")
    assert set(zipped(download_zip_url(allow_missing=True, **options))) == {"pack/there.png"}
    refused(get(download_zip_url(tags=["nobody"])), 404, "No resources")
    refused(get(download_zip_url()), 400, "public_ids")


def test_archives_need_a_signature() -> None:
    url = download_zip_url(public_ids=["pack/there"])
    refused(get(url.replace("pack%2Fthere", "pack%2Fother")), 401, "Invalid Signature")


@pytest.mark.parametrize(
    ("number_of_files", "page_size"),
    [pytest.param(60, 25, marks=pytest.mark.system), pytest.param(2000, 500, marks=pytest.mark.soak)],
)
def test_archive_has_more_files_than_a_page_of_the_index(
    number_of_files: int, page_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_PAGE_ROWS", page_size)
    one_pixel, prefix = picture(1, 1), f"many/{number_of_files}/"
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: upload(f"{prefix}{number:04d}", one_pixel), range(number_of_files)))
    files = zipped(download_folder(prefix, resource_type="image"))
    assert len(files) == number_of_files
    assert set(files.values()) == {one_pixel}


def test_download_of_earlier_versions() -> None:
    made = upload("kept/photo", picture(10, 10), backup=True)
    later = upload("kept/photo", picture(20, 20), backup=True)
    versions = cloudinary.api.resource("kept/photo", versions=True)["versions"]
    earlier = next(version for version in versions if str(version["version"]) == str(made["version"]))
    url = download_backedup_asset(made["asset_id"], earlier["version_id"])
    assert get(url).content == picture(10, 10)
    assert get(download_backedup_asset(made["asset_id"], later["version_id"])).content == picture(20, 20)
    refused(get(url.replace(earlier["version_id"], "0" * 32)), 401, "Invalid Signature")
    refused(get(download_backedup_asset(made["asset_id"], "0" * 32)), 404, "Backup not found")


@pytest.mark.parametrize(
    ("public_id", "filename"),
    [
        ("climb/a", "../../etc/cron.d/evil.png"),
        ("climb/b", ".."),
        ("climb/c", "..\\..\\evil.png"),
        ("climb/d", "C:evil.png"),
        ("climb/e", "a\x00\x1b[2Jb.png"),
        ("climb/f", ". ."),
        ("C:/climb/g", ""),
        ("climb/h..", ""),
        ("climb/../../i", ""),
        ("/climb/j", ""),
        ("climb/.../k", ""),
    ],
)
def test_no_name_leads_out_of_the_archive(public_id: str, filename: str) -> None:
    """Names of the uploader cannot cause a zip slip on any operating system."""
    try:
        upload(public_id, tags=["climb"], filename_override=filename or "photo.png")
    except cloudinary.exceptions.Error:  # a refused file is in no archive
        return
    for options in ({}, {"use_original_filename": True}, {"flatten_folders": True}):
        url = download_zip_url(tags=["climb"], **options)
        content = get(url).content
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for info in archive.infolist():
                name = info.orig_filename  # the bytes in the file; `filename` is already sanitised by zipfile
                assert not any(part.strip(". ") == "" for part in name.split("/")), name
                assert not set(name) & {"\\", *map(chr, range(32)), "\x7f"}, name
                assert name[1:2] != ":", name


def test_archive_name_cannot_break_out_of_the_header() -> None:
    upload("header/a")
    name = 'x"; filename="evil.html\r\nSet-Cookie: a=b'
    answer = get(download_zip_url(public_ids=["header/a"], target_public_id=name))
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Content-Disposition"].count('"') == 2
