"""The preset ``ml_default`` and the transformation ``media_lib_thumb``, which every account has from the start."""

from pathlib import Path

import cloudinary
import pytest
from cloudinary import api, uploader
from cloudinary.exceptions import BadRequest, NotFound
from deliveries import get, upload, url
from pictures import decoded, picture, png
from servers import threaded_cloudlet

pytestmark = pytest.mark.usefixtures("server")


def test_media_lib_thumb_makes_thumbnails() -> None:
    upload(picture(600, 600), "defaults/large")
    upload(picture(30, 20), "defaults/small")
    assert decoded(get(url("defaults/large.png", transformation="media_lib_thumb")).content).size == (200, 200)
    assert decoded(get(url("defaults/small.png", transformation="media_lib_thumb")).content).size == (30, 20)
    assert api.transformation("t_media_lib_thumb")["named"] is True


def test_default_preset_is_signed() -> None:
    assert api.upload_preset("ml_default")["unsigned"] is False
    assert uploader.upload(png(), upload_preset="ml_default")["format"] == "png"
    with pytest.raises(BadRequest, match="must be whitelisted for unsigned uploads"):
        uploader.unsigned_upload(png(), "ml_default")


def test_default_preset_is_unsigned_while_the_option_is_given(tmp_path: Path) -> None:
    with threaded_cloudlet("--unsigned-ml-default", data=tmp_path) as opened:
        cloudinary.config(**opened.sdk_config)
        assert uploader.unsigned_upload(png(), "ml_default")["format"] == "png"
        assert api.upload_preset("ml_default")["unsigned"] is True
    with threaded_cloudlet(data=tmp_path) as closed:
        cloudinary.config(**closed.sdk_config)
        with pytest.raises(BadRequest, match="must be whitelisted"):
            uploader.unsigned_upload(png(), "ml_default")


def test_changed_and_deleted_defaults_stay_so_after_a_restart(tmp_path: Path) -> None:
    with threaded_cloudlet(data=tmp_path) as first:
        cloudinary.config(**first.sdk_config)
        api.update_upload_preset("ml_default", folder="inbox")
        api.delete_transformation("media_lib_thumb")
    with threaded_cloudlet(data=tmp_path) as second:
        cloudinary.config(**second.sdk_config)
        assert uploader.upload(png(), upload_preset="ml_default")["folder"] == "inbox"
        with pytest.raises(NotFound):
            api.transformation("media_lib_thumb")


def test_crop_thumb_needs_no_gravity() -> None:
    upload(picture(400, 300), "defaults/photo")
    assert decoded(get(url("defaults/photo.png", width=50, height=50, crop="thumb")).content).size == (50, 50)
