"""Generate test credentials for wallet passes: stand-ins for the certificates and keys that Apple and Google issue."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID


def pem(key: RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:
    """Return a private key in PEM (PKCS #8), encrypted if `password` is given."""
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def name(**parts: str) -> x509.Name:
    """Return a subject or issuer; the keywords are names of attributes in `cryptography.x509.oid.NameOID`."""
    return x509.Name([x509.NameAttribute(getattr(NameOID, kind), text) for kind, text in parts.items()])


PASS_TYPE = name(USER_ID="pass.example.tickets", ORGANIZATIONAL_UNIT_NAME="TEAM123456", COMMON_NAME="Pass Type ID")


def issue(
    subject: x509.Name, key: RSAPrivateKey, issuer: x509.Name, issuer_key: RSAPrivateKey, days: int = 30
) -> x509.Certificate:
    """Return a certificate that became valid 60 days ago and expires in `days` days; expired if that is negative."""
    today = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=60))
        .not_valid_after(today + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=subject == issuer, path_length=None), critical=True)
        .sign(issuer_key, SHA256())
    )


class Authority:
    """A fake certificate authority with a developer certificate and a Google service account.

    `certificate` is the intermediate certificate (Apple's WWDR) in PEM; `member_key` signs passes.
    """

    def __init__(self) -> None:
        self.key, self.member_key = (rsa.generate_private_key(65537, 2048) for _ in range(2))
        self.name = name(COMMON_NAME="Test WWDR")
        self.certificate = issue(self.name, self.key, self.name, self.key).public_bytes(Encoding.PEM)

    def member(self, subject: x509.Name = PASS_TYPE, days: int = 30) -> bytes:
        """Return a Pass Type ID certificate for `member_key` in PEM, or a certificate with another subject."""
        return issue(subject, self.member_key, self.name, self.key, days).public_bytes(Encoding.PEM)

    def service_account(self, **fields: str) -> str:
        """Return the JSON key file of a Google Cloud service account, with `fields` added or replaced."""
        key = pem(self.key).decode()
        return json.dumps({"client_email": "tickets@example.iam.gserviceaccount.com", "private_key": key} | fields)
