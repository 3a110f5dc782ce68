"""Send webhooks about tickets to the endpoints that organisers registered, by way of an outbox."""
