"""Measure how often a damaged QR code can still be read, compared with that of a simple implementation.

    python benchmarks/scanning.py [--tickets 40] [--json figures.json]

Ours is the PNG as it is delivered. The baseline is drawn by qrcode, resized to 300 px and compressed like a CDN with
automatic quality. Both contain the same codes and get the same damage, from slight to severe in eight steps. A rate is
the share of pictures that zxing-cpp reads.
"""

import argparse
import json
import sys
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "ticketkit/tests")]

import numpy as np  # noqa: E402
import zxingcpp  # noqa: E402
from degradation import DEGRADATIONS, Degradation, Picture  # noqa: E402
from PIL import Image  # noqa: E402

from benchmarks.render_baseline import baseline_ticket  # noqa: E402
from benchmarks.render_samples import sample_tickets  # noqa: E402
from ticketkit import KeyRing, SigningKey, render_qr_png  # noqa: E402

STEPS = 8


def main() -> None:
    options = _options()
    tickets = sample_tickets("Latin", KeyRing(SigningKey(1, bytes(32))))
    codes = [next(tickets).code for _ in range(options.tickets)]
    pictures = {"ours": [_opened(render_qr_png(code)) for code in codes], "baseline": [_delivered(c) for c in codes]}
    rates = {
        name: {whose: _rate(damage, codes, shown) for whose, shown in pictures.items()}
        for name, damage in DEGRADATIONS.items()
    }
    for name, rate in rates.items():
        print(f"{name:<18}ours {rate['ours']:7.1%}   baseline {rate['baseline']:7.1%}")
    if options.json:
        options.json.write_text(json.dumps(rates, indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickets", type=int, default=40)
    parser.add_argument("--json", type=Path, help="also write the rates to this file")
    return parser.parse_args()


def _delivered(code: str) -> Picture:
    """Return the baseline's picture as a phone receives it: 300 px, JPEG at quality 80."""
    png, _ = baseline_ticket(code, [])
    compressed = BytesIO()
    Image.open(BytesIO(png)).convert("L").resize((300, 300), Image.Resampling.LANCZOS).save(
        compressed, "JPEG", quality=80
    )
    return _opened(compressed.getvalue())


def _opened(data: bytes) -> Picture:
    return np.asarray(Image.open(BytesIO(data)).convert("L"))


def _rate(damage: Degradation, codes: list[str], pictures: list[Picture]) -> float:
    random = np.random.default_rng(1)
    read = 0
    for code, picture in zip(codes, pictures, strict=True):
        for step in range(STEPS):
            damaged = damage(picture, step / (STEPS - 1), random)
            read += any(found.text == code for found in zxingcpp.read_barcodes(damaged))
    return read / (len(codes) * STEPS)


if __name__ == "__main__":
    main()
