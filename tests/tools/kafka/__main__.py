"""`make kafka`: runs Kafka until Ctrl-C, on port 9092 unless another is given, and then deletes its data."""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from tests.tools.kafka.broker import KafkaBroker
from tests.tools.kafka.jars import NoKafka, classpath


def main() -> None:
    arguments = argparse.ArgumentParser(prog="make kafka", description=__doc__)
    arguments.add_argument("--port", type=int, default=9092, help="0 for any free port")
    arguments.add_argument("--fetch", action="store_true", help="only fetch what Kafka needs, and start nothing")
    given = arguments.parse_args()
    if given.fetch:
        fetch()
    else:
        serve(given.port or None)


def fetch() -> None:
    try:
        classpath()
    except NoKafka as missing:
        sys.exit(str(missing))


def serve(port: int | None) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that `finally` stops the broker
    with tempfile.TemporaryDirectory(prefix="kafka-") as folder:
        try:
            broker = KafkaBroker(Path(folder), port=port)
        except NoKafka as missing:
            sys.exit(str(missing))
        try:
            broker.start()
            print(f"Apache Kafka answers. TAPEDECK_KAFKA_BOOTSTRAP_SERVERS={broker.bootstrap_servers}", flush=True)
            print(f"Its own tools: java -cp '{broker.class_path}' …   Ctrl-C ends it and removes its data.", flush=True)
            signal.pause()
        except NoKafka as broken:
            sys.exit(str(broken))
        except KeyboardInterrupt:
            print("\nStopped.")
        finally:
            broker.stop()


if __name__ == "__main__":
    main()
