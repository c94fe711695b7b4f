"""One server of Google's buckets in a folder, on a free loopback port; can be stopped, killed, held and started again.

It does not look at what a request is signed with, only whether it is.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.request import Request, urlopen
from uuid import uuid4

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.tools.bucket_server import BucketServer
from tests.tools.gcs.programs import program


class GcsServer(BucketServer):
    def __init__(self, folder: Path, *, keeps_versions: bool = False) -> None:
        """`keeps_versions`: new buckets keep the old versions of their objects, and all is in memory."""
        super().__init__(folder)
        self._program = program()
        self._versioning = ["-versioning"] if keeps_versions else []
        self._credentials = folder / "service_account.json"
        self._credentials.write_text(json.dumps(_service_account()))

    @property
    def credentials(self) -> Mapping[str, str]:
        """The environment of a process that may use the server."""
        return {"GOOGLE_APPLICATION_CREDENTIALS": str(self._credentials)}

    @property
    def command(self) -> Sequence[str]:
        return [str(self._program), "-port", str(self.port), "-folder", str(self._folder), *self._versioning]

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def new_bucket(self) -> str:
        name = f"bucket-{uuid4().hex[:12]}"
        urlopen(Request(f"{self.endpoint}/buckets/{name}", method="PUT")).close()  # noqa: S310 - always http
        return f"gs://{name}"


def _service_account() -> dict[str, str]:
    """As Google makes them: obstore signs its requests itself with the key."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "client_email": "tapedeck@tests.example.com",
        "private_key": private.decode(),
        "private_key_id": "1",
    }
