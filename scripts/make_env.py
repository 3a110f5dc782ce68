"""Writes backend/.env from backend/.env.example, with a secret key of its own. Never touches one that is there."""

import secrets
from pathlib import Path

backend = Path(__file__).resolve().parent.parent / "backend"
lines = (backend / ".env.example").read_text().splitlines()
key = secrets.token_urlsafe(48)
env = "\n".join(f"SECRET_KEY={key}" if line == "SECRET_KEY=" else line for line in lines) + "\n"
with (backend / ".env").open("x") as file:
    file.write(env)
(backend / ".env").chmod(0o600)
