"""Says why a Kafka cannot be reached, and which settings to check: aiokafka only says that it cannot."""

import asyncio
import ssl
from collections.abc import Sequence
from socket import gaierror

from aiokafka.conn import AIOKafkaConnection, collect_hosts
from aiokafka.errors import KafkaConnectionError, KafkaError, SaslAuthenticationFailed, UnsupportedSaslMechanismError
from aiokafka.protocol.metadata import MetadataRequest

from adapters.kafka.calling import call
from adapters.kafka.connection import KafkaConnection

PROBE_SECONDS = 20
CLOSE_SECONDS = 0.5

REASONS: Sequence[tuple[type[Exception] | tuple[type[Exception], ...], str]] = (
    (SaslAuthenticationFailed, "it rejects KAFKA_SASL_USERNAME with KAFKA_SASL_PASSWORD"),
    (UnsupportedSaslMechanismError, "it does not accept KAFKA_SASL_MECHANISM={mechanism}"),
    (ssl.SSLCertVerificationError, "its certificate is not trusted ({detail}); check KAFKA_SSL_CA"),
    (ssl.SSLError, "TLS fails ({detail}); check whether KAFKA_SECURITY_PROTOCOL={protocol} is right for this port"),
    (gaierror, "there is no host with this name"),
    (ConnectionRefusedError, "nothing listens there"),
    (TimeoutError, "it does not answer"),
    (
        (KafkaConnectionError, ConnectionResetError),
        "it closes the connection; check whether KAFKA_SECURITY_PROTOCOL={protocol} is right for this port",
    ),
)
"""The first match counts. aiokafka raises KafkaConnectionError when a connection ends."""


async def why_unreachable(connection: KafkaConnection) -> str:
    """One sentence, without secrets, about the first server that does not answer; settings have no prefix."""
    for host, port, _ in collect_hosts(connection.bootstrap_servers, randomize=False):
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await call(_probe(connection, host, port))
        except (KafkaError, OSError, TimeoutError) as error:
            return f"Kafka at {host}:{port} cannot be used: {_reason(connection, error)}."
    return "Kafka did not answer a moment ago."


async def _probe(connection: KafkaConnection, host: str, port: int) -> None:
    """Connect as every client does, and send a request that needs no permission."""
    options = connection.options()
    del options["bootstrap_servers"]
    kafka = AIOKafkaConnection(host, port, **options)
    close_seconds = CLOSE_SECONDS
    try:
        await kafka.connect()
        await kafka.send(MetadataRequest([]))
    except OSError:
        close_seconds = 0  # there is no connection, or no longer
        raise
    finally:  # the socket closes some rounds of the loop later, after TLS has shut down
        await asyncio.wait([kafka.close()], timeout=close_seconds)


def _reason(connection: KafkaConnection, error: Exception) -> str:
    sentence = next((sentence for kinds, sentence in REASONS if isinstance(error, kinds)), "{detail}")
    return sentence.format(
        detail=_detail(error), protocol=connection.security_protocol, mechanism=connection.sasl_mechanism
    )


def _detail(error: Exception) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return error.verify_message.rstrip(".")
        case ssl.SSLError():
            return str(error.reason)
        case OSError():
            return error.strerror or str(error)
    return repr(error)
