"""Inject faults into a running cloudlet for the duration of a test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import urllib3

from cloudlet.testing import RunningCloudlet


@contextmanager
def faults(server: RunningCloudlet, *rules: dict[str, Any], seed: int = 1) -> Iterator[None]:
    """Inject faults as cloudlet's README describes them, such as `{"call": "upload", "kind": "error", "rate": 0.1}`."""
    url = f"{server.url}/_cloudlet/faults"
    headers = urllib3.make_headers(basic_auth=f"{server.api_key}:{server.api_secret}")
    headers["Content-Type"] = "application/json"
    with urllib3.PoolManager(timeout=5, retries=False) as pool:
        body = json.dumps({"seed": seed, "rules": list(rules)})
        answer = pool.request("PUT", url, body=body, headers=headers)
        assert answer.status == 200, answer.data
        try:
            yield
        finally:
            pool.request("DELETE", url, headers=headers)
