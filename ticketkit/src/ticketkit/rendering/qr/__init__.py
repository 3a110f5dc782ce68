"""A QR encoder for level M, fast enough to be forgotten: `qr_matrix(text)` gives a `QrSymbol`."""

from ticketkit.rendering.qr.symbol import QrSymbol, qr_matrix

__all__ = ["QrSymbol", "qr_matrix"]
