"""A real Firefox: the one that is installed, driven by Playwright over WebDriver BiDi; none is downloaded."""

import shlex
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from tests.left_out import skip_outside_ci
from tests.places import REPOSITORY

COMMANDS = ("firefox-esr", "firefox")
START_MS = 240_000
HEARS_A_TONE = {"media.navigator.streams.fake": True, "media.navigator.permission.disabled": True}
"""Preferences that give every page a microphone without asking, of which a tone is all that is heard."""

_SCHEME, _SCHEMES = "layout.css.prefers-color-scheme.content-override", {"dark": 0, "light": 1}


def needed_firefox() -> Path:
    """Where it is. Skips the test where it is not installed; in CI nothing is left out.

    Raises: FileNotFoundError, in CI.
    """
    found = next(filter(None, map(shutil.which, COMMANDS)), None)
    if found is not None:
        return Path(found)
    sentence = "needs the command firefox-esr or firefox (Debian: apt-get install firefox-esr)"
    skip_outside_ci(sentence)
    raise FileNotFoundError(sentence)


@asynccontextmanager
async def running_firefox(firefox: Path, *, scheme: str = "light") -> AsyncIterator[Browser]:
    """A Firefox without a window, with a microphone, and with a profile that is thrown away.

    `scheme`: light or dark, for all pages: they cannot be told each by itself.
    """
    preferences = HEARS_A_TONE | {_SCHEME: _SCHEMES[scheme]}
    with tempfile.TemporaryDirectory() as folder:
        command = Path(folder) / "firefox"
        relay = [sys.executable, "-m", "tests.tools.firefox_relay", str(firefox)]
        command.write_text(f'#!/bin/sh\ncd {shlex.quote(str(REPOSITORY))} && exec {shlex.join(relay)} "$@"\n')
        command.chmod(0o700)
        async with async_playwright() as playwright:
            browser = await playwright.firefox.launch(
                channel="moz-firefox", executable_path=command, firefox_user_prefs=preferences, timeout=START_MS
            )
            try:
                yield browser
            finally:
                await browser.close()
