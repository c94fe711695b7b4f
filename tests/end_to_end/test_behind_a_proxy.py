"""The usual set-up behind a proxy: a loopback HOST, a public PUBLIC_URL, and an address for operators alone."""

import asyncio
import os
import subprocess
import sys

import pytest

from adapters.keys import KeyKind
from service.console.signing_in import new_link
from tests.end_to_end.profile import key_store_of
from tests.end_to_end.service_process import Api, ServiceProcess
from tests.tools.free_ports import free_port

PUBLIC = "https://tapedeck.example"
TAPEDECK = (sys.executable, "-m", "service.cli")
FOR_OPERATORS = ("/readyz", "/metrics", "/docs", "/openapi.json")


@pytest.fixture(scope="module")
def proxied(tmp_path_factory):
    """A service that was in development before, and is behind a proxy now."""
    proxied = ServiceProcess(tmp_path_factory.mktemp("proxied") / "data")
    asyncio.run(proxied.start())
    given = proxied.credentials
    made = asyncio.run(proxied.api().call("POST", "/v1/keys", body={"kind": "secret", "name": "kept"})).json
    proxied.stop()
    proxied.settings |= {"PUBLIC_URL": PUBLIC, "OPERATIONS_PORT": str(free_port())}
    asyncio.run(proxied.start())
    yield proxied, given | {"made": made}
    assert proxied.stop() == 0


async def test_development_credentials_and_the_development_issuer_are_void(proxied):
    service, given = proxied
    assert not (service.data_dir / "dev-credentials.json").exists()
    assert not (service.data_dir / "dev-issuer.pem").exists()
    api = Api(service.url, given["api_key"], given["end_user_id"])
    assert (await api.call("GET", "/v1/recordings")).status == 401
    assert (await api.call("GET", "/dev/issuer/keys")).status == 404


async def test_a_key_that_was_made_with_a_development_key_stays_and_the_log_names_it(proxied):
    service, given = proxied
    made = given["made"]
    assert (await Api(service.url, made["token"], "").call("GET", "/v1/recordings")).status == 200
    warned = [line for line in service.log_lines() if line["message"] == "keys of the former project stay in force"]
    assert [made["id"] in line["keys"] for line in warned] == [True]
    assert made["token"] not in service.log_file.read_text()


async def test_no_link_signs_in_at_the_console(proxied):
    service, _ = proxied
    code = new_link(service.data_dir, PUBLIC).partition("#sign-in=")[2]
    refused = await Api(service.url, "", "").call("POST", "/console/sign-in", body={"code": code}, key=False)
    assert (refused.status, refused.error["type"]) == (403, "forbidden")
    asked = await asyncio.to_thread(
        subprocess.run, [*TAPEDECK, "console"], env=service.environment, capture_output=True, text=True, timeout=120
    )
    assert (asked.returncode, asked.stdout) == (1, "")
    assert "There are no development credentials" in asked.stderr


async def test_webhooks_do_not_go_inside_and_pages_of_this_machine_may_not_call(proxied):
    service, _ = proxied
    keys = key_store_of(service)
    api = Api(service.url, keys.create(KeyKind.SECRET, project_id="proj_1").token, "eu_1")
    keys.close()
    asked = {"url": f"http://127.0.0.1:{free_port()}/", "events": ["recording.uploaded"]}
    refused = await api.call("POST", "/v1/webhooks", body=asked)
    assert (refused.status, "not sent to" in refused.error["message"]) == (400, True)
    headers = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "GET"}
    assert (await api.call("OPTIONS", "/v1/recordings", headers=headers, key=False)).status == 403


async def test_what_is_for_operators_is_on_their_listener_and_nowhere_else(proxied):
    service, _ = proxied
    outside = Api(service.url, "", "")
    inside = Api(f"http://127.0.0.1:{service.settings['OPERATIONS_PORT']}", "", "")
    statuses = [
        [(await each.call("GET", path, key=False)).status for path in (*FOR_OPERATORS, "/healthz", "/v1/recordings")]
        for each in (outside, inside)
    ]
    assert statuses == [[404, 404, 404, 404, 200, 401], [200, 200, 200, 200, 200, 404]]


def test_one_line_says_which_mode_it_is_and_why_and_one_warns_of_root(proxied):
    service, _ = proxied
    lines = service.log_lines()
    told = [(line["message"], line["level"], line["because"]) for line in lines if "development" in line["message"]]
    assert told == [
        ("development mode is on", "info", "TAPEDECK_HOST and TAPEDECK_PUBLIC_URL are loopback or unset"),
        ("development mode is off", "info", f"TAPEDECK_PUBLIC_URL is {PUBLIC}, which is not loopback"),
    ]
    warned = [line["level"] for line in lines if line["message"] == "running as root"]
    assert warned == (["warning"] * 2 if os.geteuid() == 0 else [])
