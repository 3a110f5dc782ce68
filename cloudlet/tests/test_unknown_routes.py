"""Calls of the APIs that do not exist: told as such, and never taken for the delivery of a file."""

import pytest
import requests

from cloudlet.testing import RunningCloudlet

TIMEOUT = 20


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1_1/test/nonsense"),
        ("POST", "/v1_1/test/image/uplod"),
        ("GET", "/v1_1/test"),
        ("PUT", "/v2/nothing"),
        ("DELETE", "/_cloudlet/none"),
        ("OPTIONS", "/v1_1/test/nonsense"),
    ],
)
def test_a_call_that_does_not_exist_is_named(server: RunningCloudlet, method: str, path: str) -> None:
    answer = requests.request(method, server.url + path, timeout=TIMEOUT)
    assert (answer.status_code, answer.json()) == (404, {"error": {"message": f"No such route: {method} {path}"}})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_the_methods_of_a_call_are_named(server: RunningCloudlet) -> None:
    answer = requests.put(f"{server.url}/v1_1/test/image/upload", timeout=TIMEOUT)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert answer.json()["error"]["message"] == "PUT is not allowed for /v1_1/test/image/upload: use POST"
