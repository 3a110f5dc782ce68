"""Helpers for management commands that call storage."""
