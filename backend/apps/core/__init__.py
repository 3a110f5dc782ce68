"""Code without domain knowledge: background jobs, database, HTTP, commands, telemetry, a sandbox for uploads."""
