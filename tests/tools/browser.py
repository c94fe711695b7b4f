"""A real browser: Debian's Chromium, driven by Playwright, which then downloads none of its own."""

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from tests.left_out import skip_outside_ci

COMMANDS = ("chromium", "chromium-browser")
FLAGS = (
    "--no-sandbox",  # tests may run as root, in a container
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def needed_chromium() -> Path:
    """Where it is. Skips the test where it is not installed; in CI nothing is left out.

    Raises: FileNotFoundError, in CI.
    """
    found = next(filter(None, map(shutil.which, COMMANDS)), None)
    if found is not None:
        return Path(found)
    sentence = "needs the command chromium (Debian: apt-get install chromium)"
    skip_outside_ci(sentence)
    raise FileNotFoundError(sentence)


def microphone(speech: Path) -> tuple[str, ...]:
    """The flags that make a WAV file all that the browser's microphone hears, over and over, without asking."""
    return (
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={speech}",
    )


def at_this_machine(host: str) -> tuple[str, ...]:
    """The flags that make the browser find a host's pages at 127.0.0.1."""
    return (f"--host-resolver-rules=MAP {host} 127.0.0.1",)


@asynccontextmanager
async def running_browser(chromium: Path, flags: Sequence[str]) -> AsyncIterator[Browser]:
    """A browser without a window, and with a profile that is thrown away."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=[*FLAGS, *flags])
        try:
            yield browser
        finally:
            await browser.close()
