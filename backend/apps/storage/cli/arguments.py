"""Options that several commands have."""

from __future__ import annotations

from argparse import ArgumentParser

from apps.storage.gateway import limiter


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def workers(text: str) -> int:
    number = positive(text)
    if number > limiter.maximum:
        raise ValueError(text)
    return number


def add_workers(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--workers",
        type=workers,
        default=limiter.maximum,
        metavar="N",
        help="calls at the same time, while Cloudinary is at ease (default: TICKET_UPLOADS_IN_FLIGHT)",
    )
