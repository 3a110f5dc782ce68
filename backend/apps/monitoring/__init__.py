"""For monitors: health, readiness and metrics."""
