"""`python -m tests.tools.s3`: runs an S3 server until Ctrl-C, and then deletes its data."""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from tests.tools.child_server import DidNotStart
from tests.tools.s3.programs import NoS3, program
from tests.tools.s3.server import CREDENTIALS, S3Server


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m tests.tools.s3", description=__doc__)
    arguments.add_argument("--fetch", action="store_true", help="only build the server, and start nothing")
    try:
        if arguments.parse_args().fetch:
            program()
        else:
            serve()
    except (NoS3, DidNotStart) as missing:
        sys.exit(str(missing))


def serve() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that `finally` stops the server
    with tempfile.TemporaryDirectory(prefix="s3-") as folder:
        server = S3Server(Path(folder))
        try:
            server.start()
            environment = " ".join(f"{name}='{value}'" for name, value in CREDENTIALS.items())
            print(f"It answers. {environment}", flush=True)
            print(f"TAPEDECK_BLOB_URL='{server.new_bucket()}?endpoint={server.endpoint}'", flush=True)
            signal.pause()
        except KeyboardInterrupt:
            print("\nStopped.")
        finally:
            server.stop()


if __name__ == "__main__":
    main()
