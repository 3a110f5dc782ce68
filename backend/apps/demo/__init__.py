"""The demo: an event, its tickets, and accounts to sign in with."""
