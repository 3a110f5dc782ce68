"""The obvious ticket, which most systems start with: qrcode makes the picture, ReportLab six lines of text."""

from io import BytesIO

import qrcode
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas


def obvious_ticket(code: str, lines: list[str]) -> tuple[bytes, bytes]:
    """Return PNG and PDF of a ticket. The PDF has no code, no pictures and no font but Helvetica."""
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
