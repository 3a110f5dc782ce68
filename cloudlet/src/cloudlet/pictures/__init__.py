"""Decoding and making pictures, in processes with limits of memory and time.

A picture of a few bytes can be made to cost gigabytes and minutes. What it costs here is one worker process, and its
sender an error; other requests go on.
"""

import atexit
import os
import pickle
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from cloudlet.errors import bad_request, not_found
from cloudlet.media.worker_pool import TIMEOUT_SECONDS, Answer, WorkerLostError, WorkerPool
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
    """The CPU time that the pictures of one call may take together, whatever it asks for: incoming, eager, archive."""

    def __init__(self, seconds: float = CALL_SECONDS) -> None:
        self._left = seconds

    def spend(self, seconds: float) -> None:
        self._left -= seconds

    def check(self) -> None:
        """Raise ApiError 400 when nothing is left."""
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
    """Return the transformed picture. Raises ApiError 400 with what is wrong, 404 when a file went away meanwhile."""
    header, content = _ask(
        "transform", budget, source=source, transformation=transformation, format_name=format_name, layers=layers,
        limits=limits, facts=facts,
    )  # fmt: skip
    return Rendered(content, header["format"], header["width"], header["height"])


def analyse_stored(store: Store, asset: Asset, wanted: Collection[str]) -> dict[str, Json]:
    """Return what `analyse` does, for an asset; nothing for what is no picture."""
    names = [name for name in wanted if name in AVAILABLE]
    if asset.resource_type != "image" or asset.format in ("svg", "pdf") or not names:
        return {}
    return analyse(store.path(asset), names)


def analyse(source: Source, wanted: Sequence[str], budget: CpuBudget | None = None) -> dict[str, Json]:
    """Return what can be said of a picture (the fields of `analysis.AVAILABLE`). Raises ApiError 400."""
    found: dict[str, Json] = _ask("analyse", budget, source=source, wanted=list(wanted))[0]["found"]
    return found


def compose(operation: str, budget: CpuBudget | None = None, **arguments: Any) -> Answer:
    """Return what a function of `composing` makes. Raises ApiError 400."""
    return _ask(operation, budget, **arguments)


def source_of(blob: StagedBlob) -> Source:
    """Return where a worker finds bytes that were received."""
    return blob.data if blob.data is not None else blob.path or b""


def _ask(operation: str, budget: CpuBudget | None, **arguments: Any) -> Answer:
    budget = budget or CpuBudget()
    budget.check()
    try:
        header, payload = _workers.ask(pickle.dumps((operation, arguments)))
    except WorkerLostError as error:
        budget.spend(TIMEOUT_SECONDS)  # how much it was, only the lost worker knew
        raise bad_request(f"The picture cannot be made: {error}") from error
    budget.spend(header.pop("cpu"))
    if header.get("error") == "gone":
        raise not_found("Resource not found")
    if "error" in header:
        raise bad_request(header["message"])
    return header, payload
