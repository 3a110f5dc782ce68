"""Fault injection: each kind, by option and by endpoint, reproducible by its seed."""

import time
from typing import Any

import pytest
import urllib3
from cloudinary import api, uploader
from cloudinary.exceptions import Error, GeneralError, RateLimited
from pictures import png
from servers import threaded_cloudlet

from cloudlet.config import ConfigError
from cloudlet.faults import FaultPlan, Kind, parse_flag
from cloudlet.testing import RunningCloudlet

HTTP = urllib3.PoolManager(retries=False)


def set_faults(server: RunningCloudlet, *rules: dict[str, Any], seed: int = 0) -> dict[str, Any]:
    headers = urllib3.make_headers(basic_auth=f"{server.api_key}:{server.api_secret}")
    answer = HTTP.request(
        "PUT", f"{server.url}/_cloudlet/faults", json={"seed": seed, "rules": rules}, headers=headers, timeout=10
    )
    result: dict[str, Any] = answer.json()
    assert answer.status == 200, result
    return result


def outcomes(server: RunningCloudlet, calls: int) -> list[bool]:
    """Upload so many times. Return which uploads succeeded."""
    found = []
    for _ in range(calls):
        try:
            uploader.upload(png(), **server.sdk_config)
            found.append(True)
        except GeneralError:
            found.append(False)
    return found


@pytest.mark.integration
def test_error_rates_repeat_by_seed() -> None:
    rule = {"call": "upload", "kind": "error", "rate": 0.5, "status": 503}
    with threaded_cloudlet() as server:
        set_faults(server, rule, seed=7)
        first = outcomes(server, 20)
        set_faults(server, rule, seed=7)
        assert outcomes(server, 20) == first
        set_faults(server, rule, seed=8)
        assert outcomes(server, 20) != first
        assert 0 < sum(first) < 20
        set_faults(server)
        assert all(outcomes(server, 5))


@pytest.mark.integration
def test_flags_limit_rates_and_add_latency() -> None:
    options = ["--fault", "ping:rate_limit,status=429,count=1,reset=30", "--fault", "config:latency,ms=300"]
    with threaded_cloudlet(*options) as server:
        with pytest.raises(RateLimited, match="Try again on"):
            api.ping(**server.sdk_config)
        assert api.ping(**server.sdk_config)["status"] == "ok"
        started = time.perf_counter()
        api.config(**server.sdk_config)
        assert time.perf_counter() - started > 0.3


def test_connections_drop_before_and_after_the_write(server: RunningCloudlet) -> None:
    try:
        for kind, is_stored in (("drop_before", False), ("drop_after", True)):
            set_faults(server, {"call": "upload", "kind": kind})
            with pytest.raises(Error, match=r"Connection|Remote"):
                uploader.upload(png(), public_id=f"dropped_{kind}")
            set_faults(server)
            assert bool(api.resources_by_ids([f"dropped_{kind}"])["resources"]) is is_stored
    finally:
        set_faults(server)


def test_bodies_can_be_slow_and_pdfs_blocked(server: RunningCloudlet) -> None:
    url = uploader.upload(b"x" * 2000, public_id="slow.bin", resource_type="raw", filename="f")["url"]
    pdf = uploader.upload(b"%PDF", public_id="blocked.pdf", resource_type="raw", filename="f")["url"]
    try:
        set_faults(
            server,
            {"call": "delivery", "kind": "slow", "bytes_per_second": 4000},
            {"call": "delivery", "kind": "block_pdf"},
        )
        started = time.perf_counter()
        assert len(HTTP.request("GET", url, timeout=10).data) == 2000
        assert time.perf_counter() - started > 0.4
        blocked = HTTP.request("GET", pdf, timeout=10)
        assert (blocked.status, blocked.data) == (401, b"")
        assert blocked.headers["X-Cld-Error"] == "deny or ACL failure"
    finally:
        set_faults(server)


def test_latency_meets_its_percentiles() -> None:
    plan = FaultPlan([parse_flag("*:latency,p50=20,p99=200")], seed=3)
    delays = sorted(plan.draw(["upload"])[0][1] * 1000 for _ in range(4000))
    assert delays[2000] == pytest.approx(20, rel=0.1)
    assert delays[3960] == pytest.approx(200, rel=0.25)


def test_rules_start_after_some_calls_and_end() -> None:
    plan = FaultPlan([parse_flag("upload:error,after=2,count=3")])
    assert [bool(plan.draw(["upload"])) for _ in range(7)] == [False, False, True, True, True, False, False]
    assert plan.draw(["destroy"]) == []


@pytest.mark.parametrize(
    "flag", ["upload", "upload:nothing", "upload:error,rate=2", "*:latency", "*:slow,bytes_per_second=0", "*:error,x=1"]
)
def test_invalid_rules_are_refused(flag: str) -> None:
    with pytest.raises(ConfigError):
        parse_flag(flag)


def test_endpoint_needs_credentials_and_valid_rules(server: RunningCloudlet) -> None:
    assert HTTP.request("PUT", f"{server.url}/_cloudlet/faults", json={}, timeout=10).status == 401
    headers = urllib3.make_headers(basic_auth=f"{server.api_key}:{server.api_secret}")
    answer = HTTP.request(
        "PUT", f"{server.url}/_cloudlet/faults", json={"rules": [{"kind": "no"}]}, headers=headers, timeout=10
    )
    assert answer.status == 400
    assert Kind.LATENCY in answer.json()["error"]["message"]
