"""The console in a real browser, as a person uses it. Whatever the browser complains of fails the test.

Wait by locators: `page.wait_for_function` evaluates a text in the page, which the console's policy forbids.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Locator, Page

from tests.end_to_end.service_process import ServiceProcess

PATIENCE_MS = 240_000
"""How long a page may take to show what it is to show, on a machine with other work."""

PHONE, DESK = {"width": 360, "height": 740}, {"width": 1440, "height": 900}
EVERY_LOOK = [{"viewport": window, "color_scheme": scheme} for window in (PHONE, DESK) for scheme in ("light", "dark")]
"""Contexts in which every view is looked at."""

_WATCH = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy violated: ${event.violatedDirective} by ${event.blockedURI} ${event.sample}`));
"""


@dataclass
class Console:
    """A tab with the console. `expected`: patterns of complaints that the test itself provokes, and that a busy machine
    may: a view that is seconds behind is answered with 503, and every view of the console asks again."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=lambda: ["status of 503"])

    async def open(self, path: str = "") -> None:
        await self.page.goto(f"{self.url}/console{path}")

    async def sign_in(self, key: str, path: str = "") -> None:
        """At the sign-in form, as with a key that someone was given."""
        await self.open(path)
        await self.page.get_by_label("API key").fill(key)
        await self.page.get_by_role("button", name="Sign in").click()
        await self.page.get_by_role("button", name="Sign out").wait_for()

    async def hide(self, is_hidden: bool = True) -> None:
        """As if another tab were looked at, or this one again."""
        told = f"Object.defineProperty(document, 'hidden', {{ value: {str(is_hidden).lower()}, configurable: true }})"
        await self.page.evaluate(f"{told}; document.dispatchEvent(new Event('visibilitychange'))")

    async def until(self, condition: str) -> None:
        """Return once an expression holds on the page. The page's policy forbids it to evaluate texts by itself, as
        Playwright's own waiting for an expression has it do."""
        async with asyncio.timeout(PATIENCE_MS / 1000):
            while not await self.page.evaluate(condition):
                await asyncio.sleep(0.05)

    def heading(self, name: str) -> Locator:
        """The view's own, with this name exactly."""
        return self.page.get_by_role("heading", level=1, name=name, exact=True)

    async def check_with_axe(self) -> None:
        """Nothing on the page keeps out who uses a keyboard or a screen reader, as far as axe-core can tell."""
        found = await Axe().run(self.page)
        assert found.violations_count == 0, found.generate_report()

    async def check_fits(self) -> None:
        """Nothing sticks out of the window at its side."""
        sizes = await self.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert sizes[0] <= sizes[1], f"the page is {sizes[0]} px wide in a window of {sizes[1]} px"

    def check_complaints(self) -> None:
        left = [one for one in self.complaints if not any(re.search(known, one) for known in self.expected)]
        assert left == []


@asynccontextmanager
async def opened_console(browser: Browser, service: ServiceProcess, **context: Any) -> AsyncIterator[Console]:
    """A tab of a browser that knows nothing yet. `context`: options of Playwright's, such as `viewport`."""
    made = await browser.new_context(**context)
    made.set_default_timeout(PATIENCE_MS)
    try:
        page = await made.new_page()
        console = Console(page, service.url)
        watch(console, page)
        await page.add_init_script(_WATCH)
        yield console
        console.check_complaints()
    finally:
        await made.close()


def watch(console: Console, page: Page) -> None:
    """Collect what the browser complains of: errors, and requests to others than the service."""

    def on_console(message: Any) -> None:
        if message.type == "error":
            console.complaints.append(message.text)

    def on_request(request: Any) -> None:
        if not request.url.startswith((f"{console.url}/", "blob:", "data:")):
            console.complaints.append(f"a request to {request.url}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: console.complaints.append(str(error)))
    page.on("request", on_request)
