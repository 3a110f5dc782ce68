"""Sign and verify the codes inside QR codes."""
