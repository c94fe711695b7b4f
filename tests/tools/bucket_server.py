"""A server of buckets, whose objects are read through its own protocol."""

from abc import abstractmethod
from contextlib import suppress

import obstore

from adapters.blobs.bucket.address import parse_address
from adapters.blobs.bucket.clients import client_of
from tests.tools.child_server import ChildServer


class BucketServer(ChildServer):
    @property
    @abstractmethod
    def endpoint(self) -> str: ...

    @abstractmethod
    def new_bucket(self) -> str:
        """An empty bucket of a new name; returns its URL, without the endpoint. The server must be running."""

    def objects(self, url: str) -> dict[str, bytes]:
        """The content of each object in the bucket that a URL names. The environment has the credentials."""
        client = client_of(parse_address(f"{self.bucket_of(url)}?endpoint={self.endpoint}"))
        found = {}
        for name in [each["path"] for some in obstore.list(client) for each in some]:
            with suppress(FileNotFoundError):  # deleted since it was listed
                found[name] = obstore.get(client, name).bytes().to_bytes()
        return found

    def contains(self, url: str, text: bytes) -> bool:
        """Whether these bytes are in any object of the bucket that a URL names."""
        return any(text in content for content in self.objects(url).values())

    @staticmethod
    def bucket_of(url: str) -> str:
        """The URL of the bucket alone."""
        address = parse_address(url)
        return f"{address.cloud}://{address.bucket}"
