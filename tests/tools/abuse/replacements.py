"""Other bytes for the same chunk of one recording, again and again.

Each leaves bytes on the disk and an event in the log. It attacks both, which all projects share, with small requests of
which each is what a client may send.
"""

from collections import Counter
from dataclasses import dataclass, field

import aiohttp
import orjson


@dataclass
class Replacements:
    """One hostile caller of Bota's API. `outcomes`: how often a chunk was answered with which status and error code."""

    url: str
    token: str
    chunk_bytes: int = 64
    outcomes: Counter[tuple[int, str]] = field(default_factory=Counter)
    sent: int = 0

    async def opened(self, http: aiohttp.ClientSession) -> tuple[str, str]:
        """A new recording: its id, and the template of the URLs for its chunks."""
        body = {"streaming": True, "end_user_id": "eu_replacements", "codec": "opus"}
        headers = {"Authorization": f"Bearer {self.token}"}
        async with http.post(f"{self.url}/v1/recordings", json=body, headers=headers) as answer:
            created = orjson.loads(await answer.read())
            return created["id"], created["chunk_upload_url_template"]

    async def replace(self, http: aiohttp.ClientSession, template: str, count: int, *, number: int = 1) -> None:
        """Send `count` bodies for chunk `number`, no two of them the same, one after another on one connection."""
        for _ in range(count):
            self.sent += 1
            body = b"%d" % self.sent
            async with http.put(template.replace("{part}", str(number)), data=body.ljust(self.chunk_bytes)) as answer:
                refused = orjson.loads(await answer.read()) if answer.status >= 400 else {}
                self.outcomes[answer.status, refused.get("error", {}).get("type", "")] += 1
