"""Certificates for a server on 127.0.0.1, and the authority that signs them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Certificates:
    """PEM. `authority` is what a client must trust to trust the server, whose name is `127.0.0.1` and no other."""

    authority: bytes
    server: bytes
    server_key: bytes


def new_certificates() -> Certificates:
    its_key, servers_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"authority {uuid4()}")])
    constraints = x509.BasicConstraints(ca=True, path_length=0)
    authority = _begun(name, name, its_key).add_extension(constraints, critical=True).sign(its_key, hashes.SHA256())
    servers_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a server")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    server = _begun(servers_name, name, servers_key).add_extension(address, critical=False)
    return Certificates(
        authority.public_bytes(Encoding.PEM),
        server.sign(its_key, hashes.SHA256()).public_bytes(Encoding.PEM),
        servers_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


def _begun(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return x509.CertificateBuilder(
        issuer,
        subject,
        key.public_key(),
        x509.random_serial_number(),
        now - timedelta(days=1),
        now + timedelta(days=1),
    )
