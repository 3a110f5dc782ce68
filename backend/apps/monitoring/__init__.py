"""Serve health checks, readiness checks and metrics to monitoring systems."""
