"""The domain: events, ticket types, tickets and their codes, issuing, permissions and signals."""
