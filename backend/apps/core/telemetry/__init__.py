"""What this system tells those who run it: numbers for Prometheus, and lines for the log."""
