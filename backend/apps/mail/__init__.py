"""An outbox for mail, so that no request waits for the mail server."""
