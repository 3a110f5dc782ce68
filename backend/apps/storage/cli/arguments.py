"""Command-line options that several commands share."""

from __future__ import annotations

from argparse import ArgumentParser

from apps.storage.gateway import limiter


def positive(text: str) -> int:
    """Parse an integer that is 1 or more. Raises ValueError for any other text."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def workers(text: str) -> int:
    """Parse an integer from 1 to TICKET_UPLOADS_IN_FLIGHT. Raises ValueError for any other text."""
    number = positive(text)
    if number > limiter.maximum:
        raise ValueError(text)
    return number


def add_workers(parser: ArgumentParser) -> None:
    """Add the option `--workers`."""
    parser.add_argument(
        "--workers",
        type=workers,
        default=limiter.maximum,
        metavar="N",
        help="at most N concurrent calls, fewer while Cloudinary is slow or fails (default: TICKET_UPLOADS_IN_FLIGHT)",
    )
