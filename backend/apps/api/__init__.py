"""The HTTP API under /api/. Views parse the request, call the domain once and serialise the result."""
