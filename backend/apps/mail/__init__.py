"""Send mail through an outbox, so that no request waits for a mail server."""
