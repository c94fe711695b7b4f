"""One S3 server in a folder, on a free loopback port; can be stopped, killed, held and started again."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from tests.files_on_disk import content_below
from tests.tools.free_ports import free_port
from tests.tools.s3.programs import NoS3, program

START_SECONDS = 60
STOP_SECONDS = 30
ACCESS_KEY, SECRET_KEY, REGION = "tapedeck", "open sesame", "us-east-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_REGION": REGION}
"""The environment of a process that may use the server."""


class S3Server:
    """`start` it, `stop` or `kill` it, `start` it again: same port, same data. Ends only its own child process."""

    def __init__(
        self,
        folder: Path,
        *,
        certificate: Path | None = None,
        key: Path | None = None,
        versions: Path | None = None,
    ) -> None:
        """`versions`: a folder, outside of `folder`, in which new buckets keep the old versions of their objects."""
        self._folder = folder
        self._versions = versions
        self._program = program()
        self._tls = ["--cert", str(certificate), "--key", str(key)] if certificate and key else []
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.buckets.mkdir(parents=True, exist_ok=True)
        if versions:
            versions.mkdir(parents=True, exist_ok=True)

    @property
    def is_running(self) -> bool:
        return self._process is not None

    @property
    def endpoint(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def buckets(self) -> Path:
        """The folder with one folder per bucket, in which every object is a file."""
        return self._folder / "buckets"

    def new_bucket(self) -> str:
        """An empty bucket of a new name; returns `s3://BUCKET`."""
        name = f"bucket-{uuid4().hex[:12]}"
        (self.buckets / name).mkdir()
        if self._versions:
            os.setxattr(
                self.buckets / name, "user.versioning", b"\x01"
            )  # where the server notes that a bucket has them
        return f"s3://{name}"

    def files_of(self, url: str) -> Path:
        """The folder of the bucket that a URL names, with all that the server keeps of it, unfinished uploads, too."""
        return self.buckets / urlsplit(url).netloc

    def remove_bucket(self, url: str) -> None:
        """The bucket that a URL names, with all that is in it."""
        shutil.rmtree(self.files_of(url))

    def contains(self, url: str, text: bytes) -> bool:
        """Whether these bytes are anywhere in the files of the bucket that a URL names."""
        return text in content_below(self.files_of(url))

    def start(self) -> "S3Server":
        """Start it and wait until it answers."""
        command = [str(self._program), "--access", ACCESS_KEY, "--secret", SECRET_KEY, "--region", REGION]
        command += ["--port", f"127.0.0.1:{self.port}", "--keep-alive", "--quiet", *self._tls]
        versioning = ["--versioning-dir", str(self._versions)] if self._versions else []
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "posix", *versioning, str(self.buckets)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return self
        self.kill()
        raise NoS3(f"The S3 server did not start; its log:\n{self._log.read_text(errors='replace')[-3000:]}")

    @property
    def _log(self) -> Path:
        return self._folder / "server.log"

    def hold(self) -> None:
        """Let it hang: it accepts connections, and answers nothing."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        """Stop it cleanly."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        self._process.send_signal(signal.SIGCONT)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
