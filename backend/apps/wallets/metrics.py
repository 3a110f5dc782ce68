"""Metrics of the credentials for wallet passes."""

from __future__ import annotations

from collections.abc import Iterator

from apps.core.telemetry.metrics import GaugeMetricFamily, Metric

from . import passes


def gauges() -> Iterator[Metric]:
    """Yield the metrics of the configured credentials. Needs no database."""
    expires = GaugeMetricFamily(
        "admit_wallet_credentials_end_seconds",
        "Unix time at which the first of the wallet's certificates expires. Renew it before then, or no passes can be"
        " made.",
        labels=["wallet"],
    )
    for wallet, moment in passes.expiries().items():
        expires.add_metric([wallet.name.lower()], moment.timestamp())
    yield expires
    off = GaugeMetricFamily(
        "admit_wallet_off",
        "1 if the wallet is configured but can't make passes, else 0. manage.py check says why; tickets still work.",
        labels=["wallet"],
    )
    problems = passes.problems()
    for wallet in passes.Wallet:
        off.add_metric([wallet.name.lower()], float(wallet in problems))
    yield off
