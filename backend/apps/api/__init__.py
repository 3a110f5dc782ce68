"""The HTTP API under /api/: HTTP in, one call of the domain, HTTP out."""
