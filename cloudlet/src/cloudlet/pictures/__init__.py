"""Decode and transform images in worker processes with limits of memory and time.

An image of a few bytes can be crafted to take gigabytes and minutes (a decompression bomb). It then costs one worker
process, and its uploader gets an error. Other requests are not affected.
"""

import atexit
import os
import pickle
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from cloudlet.errors import bad_request, not_found
from cloudlet.media.worker_pool import TIMEOUT_SECONDS, Reply, WorkerLostError, WorkerPool
from cloudlet.model import Asset, Json
from cloudlet.pictures.analysis import AVAILABLE
from cloudlet.staging import StagedBlob
from cloudlet.store import Store
from cloudlet.transformations import AssetFacts, ImageLayer, Limits, Rendered, Transformation

CALL_SECONDS = 60.0
Source = bytes | Path

_workers = WorkerPool("cloudlet.pictures.worker", size=max(2, os.cpu_count() or 2))
atexit.register(_workers.close)


class CpuBudget:
    """The CPU time that all images of one call may take together: incoming, eager, archive and others."""

    def __init__(self, seconds: float = CALL_SECONDS) -> None:
        self._left = seconds

    def spend(self, seconds: float) -> None:
        """Subtract CPU time that was used."""
        self._left -= seconds

    def check(self) -> None:
        """Raise ApiError 400 if the budget is used up."""
        if self._left <= 0:
            raise bad_request("Too much work for one call: ask for fewer or smaller pictures")


def transform(
    source: Source,
    transformation: Transformation,
    format_name: str,
    *,
    layers: dict[ImageLayer, Source],
    limits: Limits,
    facts: AssetFacts | None = None,
    budget: CpuBudget | None = None,
) -> Rendered:
    """Return the transformed image.

    Raises ApiError 400 if it cannot be made, and 404 if a file was deleted meanwhile.
    """
    header, content = _ask(
        "transform", budget, source=source, transformation=transformation, format_name=format_name, layers=layers,
        limits=limits, facts=facts,
    )  # fmt: skip
    return Rendered(content, header["format"], header["width"], header["height"])


def analyse_stored(store: Store, asset: Asset, wanted: Collection[str]) -> dict[str, Json]:
    """Return the result of `analyse` for an asset, or an empty dict if it is not a raster image."""
    names = [name for name in wanted if name in AVAILABLE]
    if asset.resource_type != "image" or asset.format in ("svg", "pdf") or not names:
        return {}
    return analyse(store.path(asset), names)


def analyse(source: Source, wanted: Sequence[str], budget: CpuBudget | None = None) -> dict[str, Json]:
    """Return the requested fields of `analysis.AVAILABLE` for an image. Raises ApiError 400 if it is not readable."""
    found: dict[str, Json] = _ask("analyse", budget, source=source, wanted=list(wanted))[0]["found"]
    return found


def compose(operation: str, budget: CpuBudget | None = None, **arguments: Any) -> Reply:
    """Return the result of a function of `composing`. Raises ApiError 400 if the images are too large or unreadable."""
    return _ask(operation, budget, **arguments)


def source_of(blob: StagedBlob) -> Source:
    """Return the source that a worker can read for received bytes."""
    return blob.data if blob.data is not None else blob.path or b""


def _ask(operation: str, budget: CpuBudget | None, **arguments: Any) -> Reply:
    budget = budget or CpuBudget()
    budget.check()
    try:
        header, payload = _workers.ask(pickle.dumps((operation, arguments)))
    except WorkerLostError as error:
        budget.spend(TIMEOUT_SECONDS)  # an upper bound, since the lost worker cannot report it
        raise bad_request(f"The picture cannot be made: {error}") from error
    budget.spend(header.pop("cpu"))
    if header.get("error") == "gone":
        raise not_found("Resource not found")
    if "error" in header:
        raise bad_request(header["message"])
    return header, payload
