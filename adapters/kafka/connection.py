"""Where Kafka is and how to talk to it, checked before anything connects."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

REQUEST_TIMEOUT_MS = 15_000
HIGHEST_PORT = 65_535


class BadConnection(ValueError):
    """These settings cannot be right for any Kafka. One sentence, without secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaConnection:
    """What every client of one cluster needs. Making one connects to nothing and reads no file."""

    bootstrap_servers: tuple[str, ...]
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: SaslMechanism | None = None
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    ssl_ca: Path | None = None
    ssl_cert: Path | None = None
    ssl_key: Path | None = None

    def options(self) -> dict[str, Any]:
        """The keyword arguments of any aiokafka client. Raises: BadConnection."""
        self._check()
        options: dict[str, Any] = {
            "bootstrap_servers": list(self.bootstrap_servers),
            "security_protocol": self.security_protocol,
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
        }
        if self._uses_tls:
            options["ssl_context"] = self._ssl_context()
        if self._uses_sasl:
            options["sasl_mechanism"] = self.sasl_mechanism
            options["sasl_plain_username"] = self.sasl_username
            options["sasl_plain_password"] = self.sasl_password
        return options

    @property
    def _uses_tls(self) -> bool:
        return self.security_protocol in ("SSL", "SASL_SSL")

    @property
    def _uses_sasl(self) -> bool:
        return self.security_protocol in ("SASL_PLAINTEXT", "SASL_SSL")

    def _check(self) -> None:
        sasl = (self.sasl_mechanism, self.sasl_username, self.sasl_password)
        if self._uses_sasl and not all(sasl):
            raise BadConnection(
                f"KAFKA_SECURITY_PROTOCOL={self.security_protocol} needs KAFKA_SASL_MECHANISM, "
                "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"
            )
        if not self._uses_sasl and any(sasl):
            raise BadConnection(
                f"KAFKA_SASL_… settings have no effect with KAFKA_SECURITY_PROTOCOL={self.security_protocol}; "
                "set it to SASL_SSL or SASL_PLAINTEXT"
            )
        if not self._uses_tls and (self.ssl_ca or self.ssl_cert or self.ssl_key):
            raise BadConnection(
                f"KAFKA_SSL_… settings have no effect with KAFKA_SECURITY_PROTOCOL={self.security_protocol}; "
                "set it to SSL or SASL_SSL"
            )
        if self.ssl_key is not None and self.ssl_cert is None:
            raise BadConnection("KAFKA_SSL_KEY needs KAFKA_SSL_CERT, the certificate for that key")

    def _ssl_context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ssl_ca)
        except (OSError, ssl.SSLError) as error:
            raise BadConnection(f"KAFKA_SSL_CA {self.ssl_ca} cannot be used: {_short(error)}") from error
        if self.ssl_cert is not None:
            try:
                # A key with a passphrase must not make the service wait for someone to type it in.
                context.load_cert_chain(self.ssl_cert, self.ssl_key, password=lambda: "")
            except (OSError, ssl.SSLError, ValueError) as error:
                raise BadConnection(
                    f"KAFKA_SSL_CERT {self.ssl_cert} and its key cannot be used: {_short(error)}"
                ) from error
        return context


def parse_servers(text: str) -> tuple[str, ...]:
    """`host:port,host:port` as a tuple; port 9092 where none is given. Raises: BadConnection."""
    servers = tuple(_with_port(part.strip()) for part in text.split(","))
    if not all(servers):
        raise BadConnection("must be host:port, or several of them separated by commas")
    return servers


def _with_port(server: str) -> str:
    host, separator, port = server.rpartition(":")
    if not separator or server.endswith("]"):
        host, port = server, "9092"
    named = host.removeprefix("[").removesuffix("]")
    if not named or any(character in named for character in "/ ") or (":" in named and not host.startswith("[")):
        return ""
    return f"{host}:{port}" if port.isdecimal() and 1 <= int(port) <= HIGHEST_PORT else ""


def _short(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"it is not a usable PEM file ({error.reason or 'no certificate or key in it'})"
    if isinstance(error, OSError):
        return str(error.strerror or error)
    return str(error)
