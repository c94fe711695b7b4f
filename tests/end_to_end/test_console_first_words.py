"""The first minutes with the console, as the README has them: from the start of the service to one's own words."""

import asyncio
import os
import re
import subprocess
import sys
from contextlib import contextmanager

import pytest
from playwright.async_api import expect

from tests.end_to_end.console import DESK, PATIENCE_MS, opened_console
from tests.end_to_end.service_process import ServiceProcess
from tests.end_to_end.test_browser import SAID, spoken_wav, words
from tests.tools.browser import microphone, needed_chromium, running_browser

HEARD_SECONDS = 12
LONG_ENOUGH = re.compile(r"0:(1[4-9]|[2-5]\d)|[1-9]\d*:\d\d")
"""A little more than all that the microphone hears, over and over."""

expect.set_options(timeout=PATIENCE_MS)


@contextmanager
def service_at_a_terminal(data_dir):
    """The service, and a way to read what its terminal shows."""
    service = ServiceProcess(data_dir)
    ours, its = os.openpty()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TAPEDECK_")}
    its_own = service.settings | {"DATA_DIR": str(data_dir), "PORT": str(service.port)}
    settings = {f"TAPEDECK_{name}": value for name, value in its_own.items()}
    service.process = subprocess.Popen(
        [sys.executable, "-m", "service.cli", "serve"], env=environment | settings, stdin=its, stderr=its
    )
    os.close(its)
    try:
        yield service, ours
    finally:
        service.kill()
        os.close(ours)


def shown_until(terminal, pattern):
    """What is found in what the terminal shows, once it is there."""
    shown = ""
    while not (found := re.search(pattern, shown)):
        shown += os.read(terminal, 4096).decode(errors="replace")
    return found


def drain(terminal):
    """Read on, as a terminal does, or the service would wait for it. Ends when the service has."""
    try:
        while os.read(terminal, 65536):
            pass
    except OSError:  # how Linux says that nobody writes there any more
        return


@pytest.mark.slow
async def test_from_make_run_to_ones_own_words_it_takes_a_link_and_three_clicks(tmp_path):
    speech = tmp_path / "speech.wav"
    speech.write_bytes(spoken_wav(HEARD_SECONDS))
    with service_at_a_terminal(tmp_path / "data") as (service, terminal):
        found = await asyncio.to_thread(shown_until, terminal, r"Open the console: (http://\S+)\r?\n")
        reading = asyncio.create_task(asyncio.to_thread(drain, terminal))
        flags = microphone(speech)  # they also give the permission, which is the third click
        async with (
            running_browser(needed_chromium(), flags) as browser,
            opened_console(browser, service, viewport=DESK) as console,
        ):
            await console.page.goto(found[1])
            await console.page.get_by_role("button", name="Record").click()
            await expect(console.page.locator(".clock")).to_have_text(LONG_ENOUGH)
            await console.page.get_by_role("button", name="Finish").click()
            await expect(console.page.get_by_role("main")).to_contain_text("good morning", ignore_case=True)
            assert words(await console.page.get_by_role("main").inner_text()) & SAID >= {"good", "morning"}
        assert service.stop() == 0
        await reading
