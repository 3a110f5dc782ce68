"""Notifications: signed, retried, and sent to allowed hosts only."""

import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cloudinary import api, uploader, utils
from cloudinary.exceptions import BadRequest, NotFound
from pictures import png
from servers import threaded_cloudlet

pytestmark = pytest.mark.usefixtures("server")
Received = tuple[str, dict[str, str]]


@pytest.fixture
def receiver() -> Iterator[tuple[str, "queue.Queue[Received]"]]:
    """Return a URL and a queue of the requests to it. The first request gets a 500."""
    received: queue.Queue[Received] = queue.Queue()
    answers = iter([500])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            received.put((body, dict(self.headers)))
            self.send_response(next(answers, 200))
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}/hook", received
        listening.shutdown()


def test_notification_of_an_upload_is_signed_and_retried(
    receiver: tuple[str, "queue.Queue[Received]"],
) -> None:
    url, received = receiver
    uploader.upload(png(), public_id="notified", notification_url=url)
    received.get(timeout=10)
    body, headers = received.get(timeout=10)
    notification = json.loads(body)
    assert (notification["notification_type"], notification["public_id"]) == ("upload", "notified")
    assert utils.verify_notification_signature(body, int(headers["X-Cld-Timestamp"]), headers["X-Cld-Signature"])
    uploader.destroy("notified", notification_url=url)
    body, _ = received.get(timeout=10)
    assert json.loads(body)["resources"][0]["public_id"] == "notified"


def test_asynchronous_eager_transformation_is_notified_when_done(receiver: tuple[str, "queue.Queue[Received]"]) -> None:
    url, received = receiver
    answer = uploader.upload(png(), eager=[{"width": 5, "crop": "scale"}], eager_async=True, eager_notification_url=url)
    assert answer["eager"][0]["status"] == "processing"
    body, _ = received.get(timeout=10)
    assert json.loads(body)["eager"][0]["width"] == 5


def test_hosts_that_are_not_allowed_are_accepted_but_never_called(caplog: pytest.LogCaptureFixture) -> None:
    with threaded_cloudlet() as server:
        uploader.upload(png(), notification_url="http://cloudlet.invalid/hook", **server.sdk_config)
    assert "start cloudlet with --webhook-host cloudlet.invalid" in caplog.text


def test_invalid_notification_url_is_refused() -> None:
    with pytest.raises(BadRequest, match="Invalid notification_url"):
        uploader.upload(png(), notification_url="nonsense")


def test_triggered_messages_can_be_polled_and_acknowledged() -> None:
    trigger = api.create_trigger("poll://inbox", "upload", uri_type="poll")
    uploader.upload(png(), public_id="polled", batch_id="b1", notification_url="poll://*")
    uploader.destroy("polled")
    (message,) = api.notifications(channel="inbox", wait_seconds=5)["messages"]
    assert message["payload"]["public_id"] == "polled"
    assert utils.verify_notification(message)
    assert "messages" not in api.notifications(channel="inbox", wait_seconds=0)
    (anonymous,) = api.notifications(batch_id="b1", wait_seconds=5)["messages"]
    handles = [message["receipt_handle"], anonymous["receipt_handle"], "unknown"]
    statuses = [result["status"] for result in api.ack_notifications(handles)["results"]]
    assert statuses == ["acked", "acked", "not_found"]
    api.delete_trigger(trigger["id"])
    with pytest.raises(NotFound):
        api.update_trigger(trigger["id"], "poll://other")
    with pytest.raises(BadRequest, match="Invalid uri"):
        api.create_trigger("poll://inbox", "upload")
