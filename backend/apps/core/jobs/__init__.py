"""Background jobs: leases, retries, the backlog, and sending tasks to Celery."""
