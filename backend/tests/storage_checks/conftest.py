"""A cloudlet whose files are those of one test, because a storage check lists all files."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from django.conf import settings as django_settings

from apps.storage import gateway
from cloudlet.testing import RunningCloudlet, running_cloudlet


@pytest.fixture(scope="module")
def module_cloudlet() -> Iterator[RunningCloudlet]:
    account = django_settings.CLOUDINARY_ACCOUNT
    names = {"cloud_name": account.cloud_name, "api_key": account.api_key, "api_secret": account.api_secret}
    with running_cloudlet(**names) as server:
        yield server


@pytest.fixture
def empty(settings: Any, tmp_path: Path, module_cloudlet: RunningCloudlet) -> RunningCloudlet:
    """Return a cloudlet without any files."""
    server, account = module_cloudlet, settings.CLOUDINARY_ACCOUNT
    settings.VAR_DIR = tmp_path
    settings.CLOUDINARY_ACCOUNT = dataclasses.replace(account, upload_prefix=server.url, cname=server.authority)
    headers = urllib3.make_headers(basic_auth=f"{server.api_key}:{server.api_secret}")
    for delivery_type in gateway.DELIVERY_TYPES:
        url = f"{server.url}/v1_1/{server.cloud_name}/resources/image/{delivery_type}?all=true"
        assert urllib3.request("DELETE", url, headers=headers, timeout=10).status == 200
    return server
