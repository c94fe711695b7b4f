"""Certificates that the service shows, and whom its hosts trust: what is wrong with a file is said with its setting."""

import ssl

import pytest

from service.runtime.settings import load_settings
from service.runtime.tls import TlsFilesUnusable, tls_for_hosts, tls_of, trust_in_hosts
from tests.tools.postgres.certificates import new_certificates

STORES = {"database_url": "postgresql://u@h/d", "blob_url": "s3://bucket/tapes", "public_url": "https://x"}


@pytest.fixture
def files(tmp_path):
    """A folder with a certificate, its key, and the authority."""
    made = new_certificates()
    for name, content in (("cert", made.server), ("key", made.server_key), ("ca", made.authority)):
        (tmp_path / name).write_bytes(content)
    return tmp_path


def hosts(**others):
    return load_settings(**STORES, peer_url="https://10.0.0.1:8081", **others)


def test_what_hosts_show_one_another_is_not_shown_to_clients(files):
    settings = hosts(peer_tls_cert=files / "cert", peer_tls_key=files / "key")
    assert tls_of(settings) is None
    assert tls_for_hosts(settings) is not None


def test_hosts_show_the_certificate_for_clients_if_they_have_no_other(files):
    assert tls_for_hosts(hosts(tls_cert=files / "cert", tls_key=files / "key")) is not None


def test_hosts_without_tls_show_nothing_though_clients_use_it(files):
    settings = load_settings(**STORES, peer_url="http://10.0.0.1:8081", tls_cert=files / "cert", tls_key=files / "key")
    assert tls_for_hosts(settings) is None
    assert tls_of(settings) is not None


def test_hosts_trust_the_authority_that_is_named_alone_and_check_names(files):
    settings = hosts(peer_tls_cert=files / "cert", peer_tls_key=files / "key", peer_tls_ca=files / "ca")
    trust = trust_in_hosts(settings)
    assert len(trust.get_ca_certs()) == 1
    assert (trust.check_hostname, trust.verify_mode) == (True, ssl.CERT_REQUIRED)


@pytest.mark.parametrize(
    ("changed", "read", "said"),
    [
        ("cert", tls_for_hosts, "TAPEDECK_PEER_TLS_CERT={0}/cert with TAPEDECK_PEER_TLS_KEY={0}/key cannot be used: "),
        ("key", tls_for_hosts, "TAPEDECK_PEER_TLS_CERT={0}/cert with TAPEDECK_PEER_TLS_KEY={0}/key cannot be used: "),
        ("ca", trust_in_hosts, "TAPEDECK_PEER_TLS_CA={0}/ca cannot be used: "),
    ],
)
def test_a_file_that_is_damaged_or_gone_is_named(files, changed, read, said):
    settings = hosts(peer_tls_cert=files / "cert", peer_tls_key=files / "key", peer_tls_ca=files / "ca")
    assert read(settings) is not None
    (files / changed).write_bytes(b"no PEM")
    with pytest.raises(TlsFilesUnusable) as damaged:
        read(settings)
    assert str(damaged.value).startswith(said.format(files))
    (files / changed).unlink()
    with pytest.raises(TlsFilesUnusable) as gone:
        read(settings)
    assert str(gone.value) == f"{said.format(files)}No such file or directory"
