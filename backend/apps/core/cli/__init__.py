"""Helpers for management commands."""
