"""`make kafka`: a Kafka of one's own until Ctrl-C, on port 9092 unless another is given; its data goes with it."""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from tests.kafka.broker import KafkaBroker
from tests.kafka.jars import NoKafka


def main() -> None:
    arguments = argparse.ArgumentParser(prog="make kafka", description=__doc__)
    arguments.add_argument("--port", type=int, default=9092, help="0 for any free one")
    port = arguments.parse_args().port
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that `finally` stops the broker
    with tempfile.TemporaryDirectory(prefix="kafka-") as folder:
        try:
            broker = KafkaBroker(Path(folder), port=port or None)
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
