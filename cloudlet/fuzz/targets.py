"""Fuzzing targets: parsers of untrusted input, with a budget of CPU time and memory for each input.

`fuzz.py` runs them under atheris, and `tests/test_fuzz_corpus.py` replays the inputs in `corpus/`.
"""

import ast
import asyncio
import contextlib
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from python_multipart.multipart import parse_options_header
from starlette.requests import Request
from starlette.types import Message

from cloudlet.delivery.fetch_on_demand import parse_fetch
from cloudlet.delivery.url_parsing import parse_path
from cloudlet.errors import ApiError
from cloudlet.media.svg import svg_tag
from cloudlet.search.parser import parse as parse_search
from cloudlet.signing import token_covers
from cloudlet.store.blobs import BlobStore
from cloudlet.transformations import Limits, TransformationError, UnreadableSourceError, parse, render
from cloudlet.web.forms import read_form
from cloudlet.web.params import Params

CORPUS = Path(__file__).with_name("corpus")
LIMITS = Limits(source_pixels=250_000, step_pixels=250_000, work_pixels=1_000_000)
PIXEL = bytes.fromhex("424d1e000000000000001a0000000c00000001000100010018000000ff00")  # a BMP of one pixel
BOUNDARY = b"limit"
MAX_FILE_BYTES = 64 * 1024
MAX_CPU_SECONDS = 5.0
MAX_GROWTH_KB = 400 * 1024
PUMPED_BYTES = 32 * 1024

Target = Callable[[bytes], None]


def read_corpus(name: str) -> list[bytes]:
    """Return the inputs that are kept for a target. The file has one bytes literal per line."""
    return [ast.literal_eval(line) for line in (CORPUS / f"{name}.txt").read_text().splitlines()]


def write_corpus(name: str, inputs: set[bytes]) -> None:
    lines = (f"{data!r}\n" for data in sorted(inputs))
    (CORPUS / f"{name}.txt").write_text("".join(lines))


def fuzz_transformation(data: bytes) -> None:
    text = data.decode("utf-8", "ignore")
    try:
        render(PIXEL, parse(text, {"small": "w_2"}.get), "png", limits=LIMITS)
    except (TransformationError, UnreadableSourceError):
        return


def fuzz_url(data: bytes) -> None:
    try:
        path = parse_path(data, "demo")
    except ApiError:
        return
    for reading in path.readings():
        if "\x00" in reading.public_id or (path.signature and not reading.signed_text):
            raise AssertionError(f"{data!r} was read as {reading}")


@contextlib.contextmanager
def multipart_target(folder: Path) -> Iterator[Target]:
    """Yield a target that sends a body in chunks and checks that no file is left in the staging folder.

    The first byte of the input is the size of the chunks. If it is even, the request has a Content-Length.
    """
    blobs = BlobStore(folder)
    headers = [(b"content-type", b"multipart/form-data; boundary=" + BOUNDARY)]

    def fuzz_multipart(data: bytes) -> None:
        size = data[0] + 1 if data else 1
        messages = [data[start : start + size] for start in range(1, len(data), size)]

        async def receive() -> Message:
            chunk = messages.pop(0) if messages else b""
            return {"type": "http.request", "body": chunk, "more_body": bool(messages)}

        length = [(b"content-length", b"%d" % max(0, len(data) - 1))] if size % 2 else []
        scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers + length}
        try:
            form = runner.run(read_form(Request(scope, receive), blobs.stage, MAX_FILE_BYTES))
        except ApiError:
            pass
        else:
            form.discard()
        if any(blobs.staging.iterdir()):
            raise AssertionError("a refused body left a file behind")

    with asyncio.Runner() as runner:
        yield fuzz_multipart


def fuzz_picture(data: bytes) -> None:
    try:
        render(data, parse("c_pad,w_8,h_8"), "png", limits=LIMITS)
    except (TransformationError, UnreadableSourceError):
        return


def pumped_readers() -> list[Callable[[bytes], object]]:
    """Return the functions that read untrusted text, where quadratic work would be a denial of service."""

    def text(reader: Callable[[str], object]) -> Callable[[bytes], object]:
        return lambda data: reader(data.decode("utf-8", "ignore"))

    return [
        svg_tag,
        text(parse),
        lambda data: list(parse_path(data, "demo").readings()),
        parse_fetch,
        text(parse_search),
        parse_options_header,
        text(lambda token: token_covers(token, "/demo/" + "a" * 2000)),
        text(lambda name: Params.from_pairs([(name, "x")])),
    ]


PUMPED_READERS = pumped_readers()


def fuzz_pumped(data: bytes) -> None:
    """Repeat a part of the input until it is long, so that superlinear work exceeds the budget.

    The first byte chooses the reader. The rest has three parts between 0xff bytes, of which the second is repeated.
    """
    if not data:
        return
    head, _, rest = data[1:].partition(b"\xff")
    piece, _, tail = rest.partition(b"\xff")
    try:
        PUMPED_READERS[data[0] % len(PUMPED_READERS)](head + piece * (PUMPED_BYTES // max(1, len(piece))) + tail)
    except (ApiError, TransformationError):
        return


TARGETS: dict[str, Callable[[Path], contextlib.AbstractContextManager[Target]]] = {
    "transformation": lambda _: contextlib.nullcontext(fuzz_transformation),
    "url": lambda _: contextlib.nullcontext(fuzz_url),
    "multipart": multipart_target,
    "picture": lambda _: contextlib.nullcontext(fuzz_picture),
    "pumped": lambda _: contextlib.nullcontext(fuzz_pumped),
}


@contextlib.contextmanager
def bounded_target(name: str, folder: Path) -> Iterator[Target]:
    """Yield the target of that name, which fails for an input that exceeds the budget. It may write to the folder."""

    def run(data: bytes) -> None:
        began, before = time.thread_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        target(data)
        seconds, grown = time.thread_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        if seconds > MAX_CPU_SECONDS or grown > MAX_GROWTH_KB:
            raise AssertionError(f"{data!r} took {seconds:.1f} s and {grown / 1024:.0f} MB")

    with TARGETS[name](folder) as target:
        yield run
