"""obstore's client of each cloud, and what they answer differently.

Each finds its credentials as its cloud's own tools do: in the environment, of a role, or of the machine.
"""

from datetime import timedelta
from typing import TYPE_CHECKING

from obstore.store import AzureStore, GCSStore, S3Store

from adapters.blobs.bucket.address import BucketAddress

if TYPE_CHECKING:
    from obstore.store import AzureConfig, ClientConfig, GCSConfig, RetryConfig, S3Config

Client = AzureStore | GCSStore | S3Store

NO_SUCH_BUCKET = ("<Code>NoSuchBucket</Code>", "<Code>ContainerNotFound</Code>", "specified container does not exist")
NO_SUCH_OBJECT = (
    "<Code>NoSuchKey</Code>",
    "<Code>NoSuchVersion</Code>",
    "<Code>BlobNotFound</Code>",
    "specified blob does not exist",
)
"""Of S3 and Google, and of Azure, which has other words for what it does for many objects at once."""

NO_ACCOUNT = "Account must be specified"
"""obstore's words, if no account of Azure is named anywhere."""

TAKES_MANY_DELETIONS = {"s3"}
"""Where one request deletes many objects, and does not mind those that are not there."""

KEEPS_GENERATIONS = {"gs"}
"""Where whatever is written gets a version, whether or not the bucket keeps it."""


def client_of(address: BucketAddress) -> Client:
    """Nothing is asked of the bucket yet. Raises: obstore's errors, if the settings of the environment cannot be."""
    half = timedelta(seconds=address.seconds / 2)  # the last repetition begins in the first half of the time
    options: ClientConfig = {
        "timeout": half,
        "connect_timeout": min(half, timedelta(seconds=5)),
        "allow_http": (address.endpoint or "").startswith("http://"),
    }
    retries: RetryConfig = {"max_retries": 8, "retry_timeout": half}
    where = address.prefix or None
    match address.cloud:
        case "s3":
            s3: S3Config = {}
            if address.region is not None:
                s3["region"] = address.region
            if address.endpoint is not None:
                s3["endpoint"] = address.endpoint
            return S3Store(address.bucket, prefix=where, config=s3, client_options=options, retry_config=retries)
        case "gs":
            google: GCSConfig = {} if address.endpoint is None else {"base_url": address.endpoint}
            return GCSStore(address.bucket, prefix=where, config=google, client_options=options, retry_config=retries)
        case "az":
            azure: AzureConfig = {} if address.endpoint is None else {"endpoint": address.endpoint}
            return AzureStore(address.bucket, prefix=where, config=azure, client_options=options, retry_config=retries)
