"""What knows nothing of the domain: background jobs, the database, HTTP, commands, telemetry, a sandbox for uploads."""
