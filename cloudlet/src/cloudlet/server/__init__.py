"""The server process: its socket, TLS, HTTP protocol and API secret."""
