"""One node of real Apache Kafka in KRaft mode, in a folder and on free loopback ports; can be killed and restarted."""

import subprocess
import time
from base64 import urlsafe_b64encode
from pathlib import Path
from uuid import uuid4

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.tools.child_server import ChildProcess
from tests.tools.free_ports import free_port
from tests.tools.kafka.jars import NoKafka, classpath

START_SECONDS = 180
USER, PASSWORD, STORE_PASSWORD = "tapedeck", "open sesame", "changeit"
JAVA_OPTIONS = ("-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dlog4j2.level=WARN")

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{secured},RELAYED://127.0.0.1:{relayed},\
CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{secured},RELAYED://127.0.0.1:{seen_at}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,RELAYED:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={folder}/logs
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.sasl_ssl.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PKCS12
ssl.keystore.location={folder}/broker.p12
ssl.keystore.password={store_password}
"""


class KafkaBroker(ChildProcess):
    """`start` it, `stop` or `kill` it, `start` it again: same ports, same data. Ends only its own child process."""

    stop_seconds = 60

    def __init__(self, folder: Path, *, port: int | None = None, seen_at: int | None = None) -> None:
        """`seen_at`: the port of a relay to `relayed_port`; clients that come over it are told to come there again."""
        super().__init__(folder, "broker.log")
        self.class_path = classpath()
        self._port, self._secured_port, self._controller_port, self.relayed_port = (free_port() for _ in range(4))
        self._port = port or self._port
        self._seen_at = seen_at or self.relayed_port
        self._format()

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def secured_servers(self) -> str:
        """SASL_SSL, for USER with PASSWORD by PLAIN or SCRAM-SHA-512; `authority` signs the certificate."""
        return f"127.0.0.1:{self._secured_port}"

    @property
    def authority(self) -> Path:
        return self._folder / "broker.pem"

    def _format(self) -> None:
        store = ["-keystore", str(self._folder / "broker.p12"), "-storepass", STORE_PASSWORD, "-alias", "broker"]
        names = ["-dname", "CN=localhost", "-ext", "SAN=dns:localhost,ip:127.0.0.1", "-ext", "bc:c"]
        kind = ["-storetype", "PKCS12", "-keyalg", "RSA", "-keysize", "2048", "-validity", "30"]
        _run("keytool", "-genkeypair", *store, *names, *kind)
        _run("keytool", "-exportcert", "-rfc", *store, "-file", str(self.authority))
        self._properties.write_text(
            PROPERTIES.format(
                plain=self._port,
                secured=self._secured_port,
                relayed=self.relayed_port,
                seen_at=self._seen_at,
                controller=self._controller_port,
                folder=self._folder,
                user=USER,
                password=PASSWORD,
                store_password=STORE_PASSWORD,
            )
        )
        cluster = urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")
        credentials = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
        arguments = ["format", f"--cluster-id={cluster}", "-c", str(self._properties), "--add-scram", credentials]
        self.tool(*arguments, main="kafka.tools.StorageTool")

    @property
    def _properties(self) -> Path:
        return self._folder / "server.properties"

    def tool(self, *arguments: str, main: str) -> str:
        """Run one of Kafka's own command-line tools; returns its output."""
        return _run("java", "-XX:TieredStopAtLevel=1", "-cp", self.class_path, main, *arguments)

    def start(self) -> "KafkaBroker":
        """Start it and wait until it answers."""
        process = self.launch(["java", *JAVA_OPTIONS, "-cp", self.class_path, "kafka.Kafka", str(self._properties)])
        deadline = time.monotonic() + START_SECONDS
        admin = AdminClient(
            {"bootstrap.servers": self.bootstrap_servers, "log_level": 0, "reconnect.backoff.max.ms": 200}
        )
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            try:
                if admin.list_topics(timeout=2).brokers:
                    return self
            except KafkaException:
                continue
        self.kill()
        raise NoKafka(f"Kafka did not start; its log:\n{self.last_words}")


def _run(*command: str) -> str:
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise NoKafka(f"`{command[0]}` failed while Kafka was set up: {ran.stdout[-1000:]}{ran.stderr[-1000:]}")
    return ran.stdout
