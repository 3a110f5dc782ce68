"""Inspect uploaded files: their types, PDF, SVG and video headers. Unsafe parsers run in separate processes."""
