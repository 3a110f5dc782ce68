"""Helpers for models and migrations."""
