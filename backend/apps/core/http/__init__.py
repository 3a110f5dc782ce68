"""Helpers for URLs and requests."""
