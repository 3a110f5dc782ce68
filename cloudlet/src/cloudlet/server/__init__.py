"""The running process: its socket, TLS, HTTP protocol and API secret."""
