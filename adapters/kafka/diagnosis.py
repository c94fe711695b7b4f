"""Says why a Kafka cannot be talked to, and which settings to look at: aiokafka says only that it cannot."""

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
    (SaslAuthenticationFailed, "it refuses KAFKA_SASL_USERNAME with KAFKA_SASL_PASSWORD"),
    (UnsupportedSaslMechanismError, "it does not take KAFKA_SASL_MECHANISM={mechanism}"),
    (ssl.SSLCertVerificationError, "its certificate is not trusted ({detail}); look at KAFKA_SSL_CA"),
    (ssl.SSLError, "TLS fails ({detail}); look whether KAFKA_SECURITY_PROTOCOL={protocol} belongs to this port"),
    (gaierror, "there is no host of this name"),
    (ConnectionRefusedError, "nobody listens there"),
    (TimeoutError, "it does not answer"),
    (
        (KafkaConnectionError, ConnectionResetError),
        "it hangs up; look whether KAFKA_SECURITY_PROTOCOL={protocol} belongs to this port",
    ),
)
"""The first that fits. KafkaConnectionError is what aiokafka makes of a connection that ends."""


async def why_unreachable(connection: KafkaConnection) -> str:
    """One sentence about the first of its servers that does not answer, without a secret; settings without a prefix."""
    for host, port, _ in collect_hosts(connection.bootstrap_servers, randomize=False):
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await call(_probe(connection, host, port))
        except (KafkaError, OSError, TimeoutError) as error:
            return f"Kafka at {host}:{port} cannot be used: {_reason(connection, error)}."
    return "Kafka did not answer a moment ago."


async def _probe(connection: KafkaConnection, host: str, port: int) -> None:
    """Connect as every client does, and ask what needs no right at all."""
    options = connection.options()
    del options["bootstrap_servers"]
    kafka = AIOKafkaConnection(host, port, **options)
    close_seconds = CLOSE_SECONDS
    try:
        await kafka.connect()
        await kafka.send(MetadataRequest([]))
    except OSError:
        close_seconds = 0  # there is no connection, or none any more
        raise
    finally:  # the socket closes some rounds of the loop later, when TLS has taken leave
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
