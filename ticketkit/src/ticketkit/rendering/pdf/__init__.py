"""Writes the PDF: a beginning serialised once per event, and a short tail per ticket."""
