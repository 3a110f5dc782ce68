"""The self-signed certificate for ``--tls``, which is stored in the data folder."""

import datetime
import ipaddress
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = datetime.timedelta(days=820)
_RENEW_BEFORE = datetime.timedelta(days=30)


def ensure_certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """Return the paths of a certificate and a key for ``localhost``, the loopback addresses and ``host``.

    They are created if they are missing or about to expire. Clients trust the certificate if it is their CA file
    (``NODE_EXTRA_CA_CERTS``, ``SSL_CERT_FILE``).
    """
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / "cloudlet.pem", folder / "cloudlet.key"
    if not (certificate.exists() and key.exists() and _is_usable(certificate, host)):
        _make(certificate, key, host)
    return certificate, key


def _names(host: str) -> list[x509.GeneralName]:
    addresses = {ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")}
    names = {"localhost"}
    try:
        addresses.add(ipaddress.ip_address(host))
    except ValueError:
        names.add(host)
    return [*[x509.DNSName(name) for name in sorted(names)], *[x509.IPAddress(a) for a in sorted(addresses, key=str)]]


def _is_usable(certificate: Path, host: str) -> bool:
    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    remaining = found.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    return remaining > _RENEW_BEFORE and all(name in list(names) for name in _names(host))


def _make(certificate: Path, key: Path, host: str) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cloudlet")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(_names(host)), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )
    encoded = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key.unlink(missing_ok=True)
    descriptor = os.open(key, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(encoded)
    certificate.write_bytes(built.public_bytes(serialization.Encoding.PEM))
