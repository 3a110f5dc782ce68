"""Write PDFs: a prefix that is serialised once per event, and a short tail per ticket."""
