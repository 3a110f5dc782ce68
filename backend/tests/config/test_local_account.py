"""Test the account of cloudlet on this machine, and its generated secret."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from environs import Env

from apps.storage import gateway
from cloudlet.testing import running_cloudlet
from config.cloudinary_settings import CloudinaryAccount, read_cloudinary
from tests.environment import free_port

pytestmark = pytest.mark.integration


def account(folder: Path) -> CloudinaryAccount:
    return read_cloudinary(Env(), cloudlet_port=9000, cloudlet_data=folder)


def test_secret_is_generated_for_each_machine_and_private(tmp_path: Path) -> None:
    here, there = account(tmp_path / "here"), account(tmp_path / "there")
    assert here.api_secret != there.api_secret
    assert here.api_secret == account(tmp_path / "here").api_secret
    assert stat.S_IMODE((tmp_path / "here").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "here" / "api-secret").stat().st_mode) == 0o600
    assert here.api_secret not in repr(here)


@pytest.mark.parametrize("cloudlet_first", [True, False])
def test_cloudlet_and_backend_share_the_secret_whichever_starts_first(cloudlet_first: bool, tmp_path: Path) -> None:
    folder = tmp_path / "cloudlet"
    if not cloudlet_first:
        account(folder)
    with running_cloudlet(data=folder) as server:
        assert account(folder).api_secret == server.api_secret


def test_environment_overrides_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDLET_SECRET", "from-outside")
    assert account(tmp_path / "cloudlet").api_secret == "from-outside"
    assert not (tmp_path / "cloudlet").exists()


def test_unwritable_folder_is_reported_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "cloudlet").touch()
    with pytest.raises(ImproperlyConfigured, match=r"cloudlet.*ADMIT_VAR_DIR"):
        account(tmp_path / "cloudlet")


def test_a_cloudlet_with_another_secret_is_told_apart_from_wrong_credentials(settings: Any) -> None:
    port = str(free_port())
    with running_cloudlet(cloud_name="demo", api_key="cloudlet", options=["--port", port]):
        settings.CLOUDINARY_ACCOUNT = CloudinaryAccount(
            "demo", "cloudlet", "of-another-folder", False, f"http://localhost:{port}", f"localhost:{port}", True
        )
        with pytest.raises(gateway.MediaError) as caught:
            gateway.upload(gateway.QR_CODE, "tickets/qr_codes/0/ticket_x", b"x")
    assert "another data folder" in caught.value.hint
    assert "CLOUDINARY_URL" in caught.value.hint
