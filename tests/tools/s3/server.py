"""One S3 server in a folder, on a free loopback port; can be stopped, killed, held and started again."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from tests.files_on_disk import content_below
from tests.tools.child_server import ChildServer
from tests.tools.s3.programs import program

ACCESS_KEY, SECRET_KEY, REGION = "tapedeck", "open sesame", "us-east-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_REGION": REGION}
"""The environment of a process that may use the server."""


class S3Server(ChildServer):
    def __init__(
        self,
        folder: Path,
        *,
        certificate: Path | None = None,
        key: Path | None = None,
        versions: Path | None = None,
    ) -> None:
        """`versions`: a folder, outside of `folder`, in which new buckets keep the old versions of their objects."""
        super().__init__(folder)
        self._versions = versions
        self._program = program()
        self._tls = ["--cert", str(certificate), "--key", str(key)] if certificate and key else []
        self.buckets.mkdir(parents=True, exist_ok=True)
        if versions:
            versions.mkdir(parents=True, exist_ok=True)

    @property
    def command(self) -> Sequence[str]:
        known = ["--access", ACCESS_KEY, "--secret", SECRET_KEY, "--region", REGION]
        served = ["--port", f"127.0.0.1:{self.port}", "--keep-alive", "--quiet", *self._tls]
        versioning = ["--versioning-dir", str(self._versions)] if self._versions else []
        return [str(self._program), *known, *served, "posix", *versioning, str(self.buckets)]

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
