"""Coverage-guided fuzzing of the parsers that read what strangers send.

    pip install atheris
    python fuzz/fuzz.py transformation --seconds 60
    python fuzz/fuzz.py url --seconds 60
    python fuzz/fuzz.py multipart --seconds 60
    python fuzz/fuzz.py picture --seconds 60
    python fuzz/fuzz.py pumped --seconds 60

Every input has a budget of CPU time and of memory; `pumped` repeats a part of each until the input is long, so that
work that grows faster than its input shows. Ends with 0 when nothing was found in that time. Otherwise libFuzzer prints
the traceback and leaves the input in `crash-*`; run the same command with that file appended to see it again.
"""

import argparse
import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["cloudlet", "python_multipart"]):
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

LIMITS = Limits(source_pixels=250_000, step_pixels=250_000, work_pixels=1_000_000)
PIXEL = bytes.fromhex("424d1e000000000000001a0000000c00000001000100010018000000ff00")  # a BMP of one pixel
BOUNDARY = b"limit"
MAX_FILE_BYTES = 64 * 1024
MAX_CPU_SECONDS = 5.0
MAX_GROWTH_KB = 400 * 1024
PUMPED_BYTES = 32 * 1024

SEEDS: dict[str, list[bytes]] = {
    "transformation": [
        b"w_200,h_200,c_fill/e_sepia:50/q_auto,f_auto",
        b"l_text:Sans_20_bold:Hi%2C%20you/fl_layer_apply,g_south_east,x_5",
        b"$x_iw_div_2,$s_!red!/if_w_gt_$x_and_!a!_nin_tags/w_$x_mul_3_sub_1,c_scale/if_else,e_sepia:$x/if_end/b_$s",
        b"if_ar_lt_3:4,h_ih_pow_2/l_text:Sans_$x:$(s) $(x)/x_w_mod_7,fl_layer_apply/if_ctx:!k!_to_f_eq_2,r_$x:0",
        b"ar_16:9,c_pad,b_rgb:00ff0080,bo_2px_solid_red,r_1:2:3:4,a_hflip.20,o_50,dpr_2.0,t_small",
    ],
    "url": [
        b"/demo/image/upload/s--AAAAAAAA--/w_200,c_fill/v123/tickets/qr/1.png",
        b"/demo/images/s--AAAAAAAA--/a/b/suffix.jpg",
        b"/demo/raw/authenticated/%2e%2e%2fx",
    ],
    "multipart": [
        b'\xfe--limit\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\nabc\r\n--limit--\r\n',
        b'--limit\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\nabc\r\n--limit\r\n'
        b'Content-Disposition: form-data; name="public_ids[]"\r\n\r\nx\r\n--limit--\r\n',
    ],
    "picture": [PIXEL, b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x01\x00\x01\x00"],
    "pumped": [
        b"\x00\xff<!---->\xff",
        b"\x01l_text:Arial\xff_1_\xff\n",
        b"\x02/demo/image/upload/\xffw_1/\xffx",
        b"\x03/demo/image/fetch\xff/v1\xff/http:",
        b"\x04\xffNOT (\xff",
        b"\x05multipart/form-data; \xffa=b;\xff",
        b"\x06exp=9~acl=/\xff*a\xff*b",
        b"\x07x\xff[0]\xff",
    ],
}


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


def multipart_fuzzer(folder: Path) -> Callable[[bytes], None]:
    """Bodies arrive in chunks whose size is the first byte, those of an odd size with their length announced.

    Nothing may stay behind in the staging folder.
    """
    blobs, runner = BlobStore(folder), asyncio.Runner()
    headers = [(b"content-type", b"multipart/form-data; boundary=" + BOUNDARY)]

    def fuzz(data: bytes) -> None:
        size = data[0] + 1 if data else 1
        messages = [data[start : start + size] for start in range(1, len(data), size)]

        async def receive() -> Message:
            chunk = messages.pop(0) if messages else b""
            return {"type": "http.request", "body": chunk, "more_body": bool(messages)}

        announced = [(b"content-length", b"%d" % max(0, len(data) - 1))] if size % 2 else []
        scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers + announced}
        try:
            form = runner.run(read_form(Request(scope, receive), blobs.stage, MAX_FILE_BYTES))
        except ApiError:
            pass
        else:
            form.discard()
        if any(blobs.staging.iterdir()):
            raise AssertionError("a refused body left a file behind")

    return fuzz


def fuzz_picture(data: bytes) -> None:
    try:
        render(data, parse("c_pad,w_8,h_8"), "png", limits=LIMITS)
    except (TransformationError, UnreadableSourceError):
        return


def pumped_readers() -> list[Callable[[bytes], object]]:
    """Whatever reads text that a stranger sends, by regular expressions or not."""

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
    """The first byte chooses the reader; of three parts between 0xff bytes, the middle one is repeated."""
    if not data:
        return
    head, _, rest = data[1:].partition(b"\xff")
    piece, _, tail = rest.partition(b"\xff")
    try:
        PUMPED_READERS[data[0] % len(PUMPED_READERS)](head + piece * (PUMPED_BYTES // max(1, len(piece))) + tail)
    except (ApiError, TransformationError):
        return


def bounded(target: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """The target, which fails for an input that costs more time or memory than any input may."""

    def run(data: bytes) -> None:
        began, before = time.thread_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        target(data)
        seconds, grown = time.thread_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        if seconds > MAX_CPU_SECONDS or grown > MAX_GROWTH_KB:
            raise AssertionError(f"{data!r} took {seconds:.1f} s and {grown / 1024:.0f} MB")

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=sorted(SEEDS))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("input", nargs="*", help="files to run once instead of fuzzing")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cloudlet-fuzz-") as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for number, seed in enumerate(SEEDS[arguments.target]):
            (corpus / str(number)).write_bytes(seed)
        targets = {
            "transformation": fuzz_transformation,
            "url": fuzz_url,
            "multipart": multipart_fuzzer(Path(folder) / "data"),
            "picture": fuzz_picture,
            "pumped": fuzz_pumped,
        }
        options = [sys.argv[0], f"-max_total_time={arguments.seconds}", "-max_len=2048", "-timeout=20"]
        atheris.Setup([*options, *(arguments.input or [str(corpus)])], bounded(targets[arguments.target]))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
