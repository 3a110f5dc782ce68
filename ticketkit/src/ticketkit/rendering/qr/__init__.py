"""Encode and draw QR codes at error correction level M."""

from ticketkit.rendering.qr.symbol import QrSymbol, qr_matrix

__all__ = ["QrSymbol", "qr_matrix"]
