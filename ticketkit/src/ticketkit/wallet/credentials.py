"""Load and check the credentials from Apple and Google for signing passes."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID

_GOOGLE_TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 # an address


class WalletCredentialsError(ValueError):
    """Credentials that a wallet would reject. The message says which, and how to get valid ones."""


@dataclass(frozen=True, slots=True)
class AppleCredentials:
    """A Pass Type ID certificate, its RSA key, and Apple's intermediate certificate (WWDR)."""

    certificate: x509.Certificate
    private_key: RSAPrivateKey = field(repr=False)
    intermediate: x509.Certificate
    pass_type_identifier: str
    team_identifier: str

    @classmethod
    def load(
        cls, certificate: bytes, private_key: bytes, intermediate: bytes, password: bytes | None = None
    ) -> "AppleCredentials":
        """Return the credentials in three PEM files.

        Raises WalletCredentialsError if a file cannot be read, the three do not belong together, or a certificate has
        expired.
        """
        own = _certificate("the Pass Type ID certificate", certificate)
        issuer = _certificate("Apple's intermediate certificate", intermediate)
        key = _private_key("the key of the Pass Type ID certificate", private_key, password)
        if own.public_key() != key.public_key():
            raise WalletCredentialsError("the key is not that of the Pass Type ID certificate: export both together")
        try:
            own.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            message = "the intermediate is not the one that issued the Pass Type ID certificate: download"
            raise WalletCredentialsError(f"{message} {own.issuer.rfc4514_string()} from Apple") from None
        team = _subject(own, NameOID.ORGANIZATIONAL_UNIT_NAME)
        credentials = cls(own, key, issuer, _subject(own, NameOID.USER_ID), team)
        credentials.check_period()
        return credentials

    @property
    def expires_at(self) -> datetime:
        """The time at which the first of the two certificates expires."""
        return min(self.certificate.not_valid_after_utc, self.intermediate.not_valid_after_utc)

    def check_period(self) -> None:
        """Raise WalletCredentialsError unless both certificates are valid now."""
        for name, one in (("Pass Type ID", self.certificate), ("intermediate", self.intermediate)):
            if not one.not_valid_before_utc <= datetime.now(UTC) <= one.not_valid_after_utc:
                period = f"{one.not_valid_before_utc:%Y-%m-%d} to {one.not_valid_after_utc:%Y-%m-%d}"
                raise WalletCredentialsError(f"the {name} certificate is valid from {period}: renew it with Apple")


@dataclass(frozen=True, slots=True)
class GoogleCredentials:
    """The key of a Google Cloud service account, and the issuer id of a Google Wallet API account."""

    issuer_id: str
    email: str
    private_key: RSAPrivateKey = field(repr=False)
    token_uri: str = _GOOGLE_TOKEN_URI  # exchanges the key for an access token

    @classmethod
    def load(cls, service_account: str, issuer_id: str) -> "GoogleCredentials":
        """Return the credentials in a service account's JSON key file.

        Raises WalletCredentialsError if the file or the issuer id is not valid.
        """
        if not issuer_id.isdecimal():
            raise WalletCredentialsError("the issuer id is the number that Google's Pay & Wallet console shows")
        try:
            account = json.loads(service_account)
            email, pem = str(account["client_email"]), str(account["private_key"])
            token_uri = str(account.get("token_uri") or _GOOGLE_TOKEN_URI)
        except (ValueError, KeyError, TypeError):
            message = "the service account's key is a JSON file with client_email and private_key: download it again"
            raise WalletCredentialsError(message) from None
        if not _is_confidential(token_uri):
            raise WalletCredentialsError("the service account's token_uri is no https address: download its key again")
        return cls(issuer_id, email, _private_key("the service account's key", pem.encode(), None), token_uri)


def _is_confidential(url: str) -> bool:
    """Return whether requests to the URL stay confidential: by HTTPS, or on this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.hostname) and (parts.scheme == "https" or parts.hostname in ("127.0.0.1", "localhost"))


def _certificate(name: str, pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise WalletCredentialsError(f"{name} is not a PEM file: convert it with `openssl x509 -inform der`") from None


def _private_key(name: str, pem: bytes, password: bytes | None) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(pem, password)
    except (ValueError, TypeError) as error:
        raise WalletCredentialsError(f"{name} cannot be read as PEM, or its password is wrong: {error}") from None
    if not isinstance(key, RSAPrivateKey):
        raise WalletCredentialsError(f"{name} is no RSA key, and wallets accept no other")
    return key


def _subject(certificate: x509.Certificate, attribute: x509.ObjectIdentifier) -> str:
    found = certificate.subject.get_attributes_for_oid(attribute)
    if not found:
        raise WalletCredentialsError("this is no Pass Type ID certificate: its subject names no pass type and team")
    return str(found[0].value)
