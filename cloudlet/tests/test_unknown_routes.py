"""Unknown routes of the APIs get a 404 that says so, and are not taken for deliveries."""

import pytest
import requests

from cloudlet.testing import RunningCloudlet

TIMEOUT_SECONDS = 20


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
def test_unknown_route_is_a_404_that_names_it(server: RunningCloudlet, method: str, path: str) -> None:
    answer = requests.request(method, server.url + path, timeout=TIMEOUT_SECONDS)
    assert (answer.status_code, answer.json()) == (404, {"error": {"message": f"No such route: {method} {path}"}})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_wrong_method_is_a_405_that_names_the_right_one(server: RunningCloudlet) -> None:
    answer = requests.put(f"{server.url}/v1_1/test/image/upload", timeout=TIMEOUT_SECONDS)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert answer.json()["error"]["message"] == "PUT is not allowed for /v1_1/test/image/upload: use POST"
