"""The console's files: what browsers are given, and the link that signs in once."""

import asyncio
import os
import re
import time
from pathlib import Path

import pytest
import pytest_asyncio

from service.console import pages
from service.console.signing_in import FILE_NAME, LINK_SECONDS, new_link
from tests.service.running_service import TurnedClock, running_service

WEB = Path(pages.__file__).with_name("web")
OUR_TEXTS = [path for path in WEB.rglob("*") if path.suffix in (".js", ".css", ".html") and "vendor" not in path.parts]


@pytest_asyncio.fixture
async def running(tmp_path):
    async with running_service(tmp_path / "data", TurnedClock()) as running:
        yield running


async def test_every_address_below_the_console_gives_the_page_and_every_file_itself(running):
    for path in ("", "/", "/recordings/rec_1", "/record"):
        page = await running.api.call("GET", f"/console{path}", key=False)
        assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert page.body == (WEB / "index.html").read_bytes()
    types = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    for file in WEB.rglob("*"):
        if file.is_file() and file.suffix != ".ts":  # what only TypeScript's checker reads
            answer = await running.api.call("GET", f"/console/{file.relative_to(WEB).as_posix()}", key=False)
            assert (answer.status, answer.body) == (200, file.read_bytes())
            assert answer.headers["Content-Type"].partition(";")[0] == types.get(
                file.suffix, "text/html" if file.suffix == ".html" else "text/plain"
            )
            assert answer.headers["Content-Security-Policy"] == pages.POLICY


async def test_a_file_that_there_is_not_is_not_found_also_outside_of_the_folder(running):
    for path in ("missing.js", "../pages.py", "%2e%2e/pages.py", "..%2f..%2fcli/keys.py", "views/../../pages.py"):
        assert (await running.api.call("GET", f"/console/{path}", key=False)).status == 404, path


async def test_a_file_that_has_not_changed_is_not_sent_again(running):
    first = await running.api.call("GET", "/console/app.js", key=False)
    again = await running.api.call(
        "GET", "/console/app.js", key=False, headers={"If-None-Match": first.headers["ETag"]}
    )
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", first.headers["ETag"])


async def test_the_policy_lets_in_nothing_that_is_inline_and_no_other_origin():
    assert "unsafe" not in pages.POLICY
    assert "http" not in pages.POLICY
    assert "require-trusted-types-for 'script'" in pages.POLICY


@pytest.mark.parametrize("file", OUR_TEXTS, ids=lambda file: file.name)
def test_no_file_names_another_origin_or_makes_markup_of_text(file):
    text = file.read_text()
    assert not re.search(
        r"(?:(?:src|href|action)=[\"']?|(?:from|fetch|import|url|open)\s*\(?\s*[\"'`])\s*(?:https?:)?//", text
    )
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|unsafeHTML|\sstyle=", text)


async def test_the_console_can_be_turned_off(tmp_path):
    async with running_service(tmp_path / "data", TurnedClock(), console=False) as running:
        for method, path in (("GET", "/console"), ("GET", "/console/app.js"), ("POST", "/console/sign-in")):
            assert (await running.api.call(method, path, key=False)).status == 404


async def test_of_many_who_use_a_link_at_once_one_is_signed_in(running):
    code = code_of(new_link(running.settings.data_dir, running.settings.base_url))
    answers = await asyncio.gather(*(signed_in(running, code) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [200, *[403] * 7]
    (right,) = (answer for answer in answers if answer.status == 200)
    assert right.json == {"api_key": running.service.parts.dev_credentials["bota"]["api_key"]}
    assert right.headers["Cache-Control"] == "no-store"


async def test_a_wrong_code_leaves_the_link_as_it_is_and_a_newer_link_makes_it_void(running):
    old = code_of(new_link(running.settings.data_dir, running.settings.base_url))
    assert (await signed_in(running, old[:-1])).status == 403
    assert (await signed_in(running, "")).status == 403
    new = code_of(new_link(running.settings.data_dir, running.settings.base_url))
    refused = await signed_in(running, old)
    assert refused.status == 403
    assert "`tapedeck console` makes another" in refused.json["error"]["message"]
    assert (await signed_in(running, new)).status == 200


async def test_a_link_that_nobody_used_for_an_hour_is_void(running):
    code = code_of(new_link(running.settings.data_dir, running.settings.base_url))
    age(running, LINK_SECONDS + 1)
    refused = await signed_in(running, code)
    assert refused.status == 403
    assert "more than an hour old" in refused.json["error"]["message"]
    age(running, LINK_SECONDS / 2)
    assert (await signed_in(running, code)).status == 200


async def test_the_code_is_readable_by_its_owner_only(running):
    new_link(running.settings.data_dir, running.settings.base_url)
    assert (running.settings.data_dir / FILE_NAME).stat().st_mode & 0o077 == 0


async def test_what_is_no_code_is_refused(running):
    for body in (b"", b"[]", b"{", b'{"code": 1}', b'{"code": "a", "more": 1}', b'{"code": "%s"}' % (b"a" * 300)):
        assert (await posted(running, body)).status == 400, body
    assert (await posted(running, b'{"code": "%s"}' % (b"a" * 10_000))).status == 413


def age(running, seconds):
    written = time.time() - seconds
    os.utime(running.settings.data_dir / FILE_NAME, (written, written))


def code_of(link):
    return link.partition("#sign-in=")[2]


async def signed_in(running, code):
    return await running.api.call("POST", "/console/sign-in", body={"code": code}, key=False)


async def posted(running, body):
    return await running.api.call("POST", "/console/sign-in", body=body, key=False)
