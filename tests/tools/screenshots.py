"""`make screenshots`: every view of the console at two widths, in light and in dark, with a few recordings to see.

`make screenshots ARGS="--views recording --folder SOMEWHERE"`. Two of them are in the guides.
"""

import argparse
import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Page

from tests.end_to_end.console import DESK, PHONE, Console, opened_console
from tests.end_to_end.dragon_client import Dragon, ended, silence
from tests.end_to_end.service_process import SAMPLE, Api, ServiceProcess
from tests.tools.browser import needed_chromium, running_browser

FOLDER = Path(".screenshots")
WIDTHS = {"phone": PHONE, "desk": DESK}
SCHEMES = ("light", "dark")
SETTLE_SECONDS = 1.0
"""For what is drawn after it was loaded, such as a waveform."""

IN_GUIDES = {"recordings-desk-light": "recordings.png", "recording-desk-light": "recording.png"}
GUIDES = Path("service/console/screenshots")


async def _views(service: ServiceProcess) -> Mapping[str, str]:
    """Name of each view -> its path below `/console`, with something to see in it."""
    api = service.api()
    done = await _heard(api, name="Visit of Monday morning")
    done_by = service.credentials["end_user_id"]
    broken = await api.upload([b"this is no audio"], name="Visit of Monday noon")
    await api.finalize(broken, 1)
    await api.ended(broken)
    await api.create(name="Visit of Monday afternoon")
    webhook = {"url": "http://127.0.0.1:9/", "events": ["recording.created"]}
    webhook_id = (await api.call("POST", "/v1/webhooks", body=webhook)).json["id"]
    await api.create(name="Visit of Monday evening")
    session = await _session(service)
    return {
        "recordings": "",
        "record": "/record",
        "recording": f"/recordings/{done['id']}",
        "failed-recording": f"/recordings/{broken['id']}",
        "webhooks": "/webhooks",
        "webhook": f"/webhooks/{webhook_id}",
        "keys": "/keys",
        "operations": "/operations",
        "sessions": "/sessions",
        "session": f"/sessions/{session}",
        "search": f"/search?query=headache&end_user_id={done_by}",
        "not-found": "/nowhere",
    }


async def _session(service: ServiceProcess) -> str:
    """The id of an ambient session with two recordings; another one has ended."""
    over, going_on = [await Dragon.connect(service, f"visit-2026-01-12-{number:04}") for number in (17, 18)]
    for dragon in (over, going_on):
        await dragon.announce(externalUserId="dr-jones", ehrInstanceId="ehr-east")
        await dragon.store(1, silence(300))
    await over.end()
    await going_on.finalize(1)
    await ended(service.api(), going_on.correlation_id)
    await going_on.store(1, silence(), recording_id=2)
    sessions = (await service.api().call("GET", "/v1/ambient-sessions?status=open")).json["data"]
    return str(sessions[0]["id"])


async def _heard(api: Api, **fields: str) -> dict[str, str]:
    """The speech sample, transcribed."""
    recording = await api.upload([SAMPLE.read_bytes()], **fields)
    await api.finalize(recording, 1, final_duration_ms=62_000)
    await api.ended(recording)
    return recording


@asynccontextmanager
async def _own_service() -> AsyncIterator[ServiceProcess]:
    with tempfile.TemporaryDirectory() as folder:
        service = ServiceProcess(Path(folder) / "data")
        await service.start()
        try:
            yield service
        finally:
            service.kill()


async def take(folder: Path, chosen: Sequence[str] = ()) -> list[Path]:
    """The files that were written. `chosen`: names of views; all, if there are none."""
    taken = []
    async with _own_service() as service, running_browser(needed_chromium(), []) as browser:
        views = await _views(service)
        for width in WIDTHS:
            for scheme in SCHEMES:
                async with _signed_in(browser, service, width, scheme) as console:
                    if not chosen or "sign-in" in chosen:
                        taken.append(await _shot(await _fresh(console), folder / f"sign-in-{width}-{scheme}.png"))
                    for name, path in views.items():
                        if chosen and name not in chosen:
                            continue
                        await console.open(path)
                        taken.append(await _shot(console.page, folder / f"{name}-{width}-{scheme}.png"))
    return taken


@asynccontextmanager
async def _signed_in(browser: Browser, service: ServiceProcess, width: str, scheme: str) -> AsyncIterator[Console]:
    async with opened_console(browser, service, viewport=WIDTHS[width], color_scheme=scheme) as console:
        await console.sign_in(service.credentials["api_key"])
        yield console


async def _fresh(console: Console) -> Page:
    """A tab in which nobody is signed in."""
    page = await console.page.context.new_page()
    await page.goto(f"{console.url}/console")
    return page


async def _shot(page: Page, file: Path) -> Path:
    await page.get_by_role("heading", level=1).wait_for()
    await page.get_by_text("Loading…").wait_for(state="hidden")
    await asyncio.sleep(SETTLE_SECONDS)
    await page.screenshot(path=file)
    return file


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--folder", type=Path, default=FOLDER)
    options.add_argument("--views", nargs="*", default=[])
    asked = options.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    for file in asyncio.run(take(asked.folder, asked.views)):
        print(file)
        if file.stem in IN_GUIDES and asked.folder == FOLDER:
            GUIDES.mkdir(exist_ok=True)
            (GUIDES / IN_GUIDES[file.stem]).write_bytes(file.read_bytes())


if __name__ == "__main__":
    main()
