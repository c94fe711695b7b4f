import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.x509.oid import NameOID

from adapters.kafka.connection import BadConnection, KafkaConnection, parse_servers
from service.runtime.settings import BadSettings, load_settings


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("kafka:9093", ("kafka:9093",)),
        ("kafka", ("kafka:9092",)),
        (" one:1 , two:2,three ", ("one:1", "two:2", "three:9092")),
        ("[::1]:9092", ("[::1]:9092",)),
        ("[::1]", ("[::1]:9092",)),
    ],
)
def test_servers_are_hosts_with_ports_and_commas_between_them(text, servers):
    assert parse_servers(text) == servers


@pytest.mark.parametrize(
    "text", ["", ",", "a:1,", ":9092", "kafka:0", "kafka:65536", "kafka:x", "kafka://a:1", "::1", "a b:1", "[:1"]
)
def test_what_is_no_host_and_port_is_refused(text):
    with pytest.raises(BadConnection):
        parse_servers(text)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"bootstrap_servers": "kafka:none"},
            (
                "TAPEDECK_KAFKA_BOOTSTRAP_SERVERS is 'kafka:none', which cannot be used: must be host:port, or "
                "several of them separated by commas."
            ),
        ),
        (
            {"security_protocol": "TLS"},
            (
                "TAPEDECK_KAFKA_SECURITY_PROTOCOL is 'TLS', which cannot be used: input should be 'PLAINTEXT', 'SSL', "
                "'SASL_PLAINTEXT' or 'SASL_SSL'."
            ),
        ),
        (
            {"security_protocol": "SASL_SSL", "sasl_password": "open sesame"},
            (
                "TAPEDECK_KAFKA_SECURITY_PROTOCOL=SASL_SSL needs TAPEDECK_KAFKA_SASL_MECHANISM, "
                "TAPEDECK_KAFKA_SASL_USERNAME and TAPEDECK_KAFKA_SASL_PASSWORD."
            ),
        ),
        (
            {"sasl_username": "me"},
            (
                "TAPEDECK_KAFKA_SASL_… settings have no effect with TAPEDECK_KAFKA_SECURITY_PROTOCOL=PLAINTEXT; set it "
                "to SASL_SSL or SASL_PLAINTEXT."
            ),
        ),
        (
            {"ssl_ca": "/nowhere/ca.pem"},
            (
                "TAPEDECK_KAFKA_SSL_… settings have no effect with TAPEDECK_KAFKA_SECURITY_PROTOCOL=PLAINTEXT; set it "
                "to SSL or SASL_SSL."
            ),
        ),
        (
            {"security_protocol": "SSL", "ssl_ca": "/nowhere/ca.pem"},
            "TAPEDECK_KAFKA_SSL_CA /nowhere/ca.pem cannot be used: No such file or directory.",
        ),
        (
            {"security_protocol": "SSL", "ssl_ca": __file__},
            (
                f"TAPEDECK_KAFKA_SSL_CA {__file__} cannot be used: it is not a usable PEM file "
                "(NO_CERTIFICATE_OR_CRL_FOUND)."
            ),
        ),
        (
            {"security_protocol": "SSL", "ssl_key": "/nowhere/key.pem"},
            "TAPEDECK_KAFKA_SSL_KEY needs TAPEDECK_KAFKA_SSL_CERT, the certificate for that key.",
        ),
        (
            {"topic": "with a space"},
            (
                "TAPEDECK_KAFKA_TOPIC is 'with a space', which cannot be used: string should match pattern "
                "'^[a-zA-Z0-9._-]{1,200}$'."
            ),
        ),
    ],
)
def test_a_wrong_setting_is_one_clear_line(monkeypatch, settings, sentence):
    monkeypatch.setenv("TAPEDECK_KAFKA_BOOTSTRAP_SERVERS", "kafka:9092")
    for name, value in settings.items():
        monkeypatch.setenv(f"TAPEDECK_KAFKA_{name.upper()}", value)
    with pytest.raises(BadSettings) as refusal:
        load_settings()
    assert str(refusal.value) == sentence
    assert "sesame" not in str(refusal.value)


def test_without_servers_there_is_no_kafka(monkeypatch):
    monkeypatch.delenv("TAPEDECK_KAFKA_BOOTSTRAP_SERVERS", raising=False)
    assert load_settings().kafka is None


def test_the_password_is_not_in_what_is_printed():
    connection = KafkaConnection(
        bootstrap_servers=("kafka:9092",),
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_username="me",
        sasl_password="open sesame",  # noqa: S106
    )
    assert "sesame" not in repr(connection)
    assert connection.options()["sasl_plain_username"] == "me"


def test_tls_checks_the_name_of_the_broker():
    context = KafkaConnection(bootstrap_servers=("kafka:9092",), security_protocol="SSL").options()["ssl_context"]
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(tmp_path):
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    begins = datetime(2026, 1, 1, tzinfo=UTC)
    signed = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=1))
        .sign(private, hashes.SHA256())
    )
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    certificate.write_bytes(signed.public_bytes(Encoding.PEM))
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    connection = KafkaConnection(
        bootstrap_servers=("kafka:9092",), security_protocol="SSL", ssl_cert=certificate, ssl_key=key
    )
    with pytest.raises(BadConnection, match="and its key cannot be used"):
        connection.options()
