"""Limits of image sizes."""

MAX_SIDE_PIXELS = 30_000
"""The limit of a side. Filters need memory for whole rows and columns: 1 x 40,000,000 costs more than 6,300 x 6,300."""
