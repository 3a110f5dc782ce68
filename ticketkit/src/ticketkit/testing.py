"""Credentials for tests of wallet passes: what Apple and Google give those who sign, made on this machine."""

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
    """Return a private key as a PEM file, encrypted if there is a password."""
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def name(**parts: str) -> x509.Name:
    """Return a subject or issuer; each part is called as in `cryptography.x509.oid.NameOID`."""
    return x509.Name([x509.NameAttribute(getattr(NameOID, kind), text) for kind, text in parts.items()])


PASS_TYPE = name(USER_ID="pass.example.tickets", ORGANIZATIONAL_UNIT_NAME="TEAM123456", COMMON_NAME="Pass Type ID")


def issue(
    subject: x509.Name, key: RSAPrivateKey, issuer: x509.Name, issuer_key: RSAPrivateKey, days: int = 30
) -> x509.Certificate:
    """Return a certificate that has been valid for 60 days and ends in `days` from now."""
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
    """Stand in for Apple's intermediate, for a member of its developer programme, and for Google's service account.

    `certificate` is the intermediate's, in PEM; `member_key` is the key that passes are signed with.
    """

    def __init__(self) -> None:
        self.key, self.member_key = (rsa.generate_private_key(65537, 2048) for _ in range(2))
        self.name = name(COMMON_NAME="Test WWDR")
        self.certificate = issue(self.name, self.key, self.name, self.key).public_bytes(Encoding.PEM)

    def member(self, subject: x509.Name = PASS_TYPE, days: int = 30) -> bytes:
        """Return the member's Pass Type ID certificate in PEM, or a certificate for another subject."""
        return issue(subject, self.member_key, self.name, self.key, days).public_bytes(Encoding.PEM)

    def service_account(self, **fields: str) -> str:
        """Return the JSON key file of a Google Cloud service account."""
        key = pem(self.key).decode()
        return json.dumps({"client_email": "tickets@example.iam.gserviceaccount.com", "private_key": key} | fields)
