"""Encode and draw QR codes of level M, fast enough to be forgotten: `qr_matrix(text)` gives a `QrSymbol`."""

from ticketkit.rendering.qr.symbol import QrSymbol, qr_matrix

__all__ = ["QrSymbol", "qr_matrix"]
