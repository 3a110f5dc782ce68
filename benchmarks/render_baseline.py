"""Draw a ticket as most systems do at first: a QR code by qrcode, and six lines of text by ReportLab."""

from io import BytesIO

import qrcode
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas


def baseline_ticket(code: str, lines: list[str]) -> tuple[bytes, bytes]:
    """Return the PNG and the PDF of a ticket. The PDF has no code, no pictures, and only Helvetica."""
    symbol = qrcode.QRCode(box_size=10, border=4)
    symbol.add_data(code)
    symbol.make(fit=True)
    png = BytesIO()
    symbol.make_image().save(png, "PNG")
    pdf = BytesIO()
    canvas = Canvas(pdf, pagesize=A4)
    for number, line in enumerate(lines):
        canvas.drawString(72, 770 - 24 * number, line)
    canvas.save()
    return png.getvalue(), pdf.getvalue()
