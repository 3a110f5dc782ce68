"""Background work: how it is sent, and when it is tried again."""
