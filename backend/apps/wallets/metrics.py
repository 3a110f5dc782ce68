"""What counts about wallet passes."""

from __future__ import annotations

from collections.abc import Iterator

from apps.core.telemetry.metrics import GaugeMetricFamily, Metric

from . import passes


def gauges() -> Iterator[Metric]:
    """Yield what the credentials that are configured say, without the database."""
    ends = GaugeMetricFamily(
        "admit_wallet_credentials_end_seconds",
        "When the first of the certificates that passes are signed with expires, as a Unix time",
        labels=["wallet"],
    )
    for wallet, moment in passes.expiries().items():
        ends.add_metric([wallet.name.lower()], moment.timestamp())
    yield ends
    off = GaugeMetricFamily(
        "admit_wallet_off", "1 for a wallet that is configured but cannot make passes, else 0", labels=["wallet"]
    )
    problems = passes.problems()
    for wallet in passes.Wallet:
        off.add_metric([wallet.name.lower()], float(wallet in problems))
    yield off
