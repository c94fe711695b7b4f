"""A webhook goes to public addresses only, and to the very address that was checked."""

import socket
from ipaddress import ip_address

import pytest
from aiohttp import web

from adapters.webhooks import addresses
from adapters.webhooks.addresses import AddressPolicy, is_public
from adapters.webhooks.sender import UrlRefused, WebhookSender
from tests.tools.free_ports import free_port


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.10",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
        "2001:db8::1",
        "192.88.99.1",
        "100.64.0.1",
        "fec0::1",  # site-local
        "feff:ffff::1",
        "fe00::1",  # not assigned
        "4000::1",
        "5f00::1",
        "3fff::1",
        "100::1",  # discarded
        "400::1",
        "::10.0.0.1",  # the compatible form
        "::8.8.8.8",
        "::ffff:0:10.0.0.1",  # translated by a host
        "::ffff:0:8.8.8.8",
        "64:ff9b:1::a00:1",  # NAT64 of one network
        "64:ff9b:1::808:808",
        "2001:0:808:808::f5ff:fffe",  # Teredo to 10.0.0.1
        "2001:10::1",
        "2001:20::1",
        "2002:c0a8:101::1",  # 6to4 of 192.168.1.1
        "2606:4700::5efe:a00:1",  # ISATAP of 10.0.0.1
        "2606:4700::200:5efe:a9fe:a9fe",
    ],
)
def test_what_is_not_out_there_is_not_public(address):
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "93.184.216.34",
        "2606:4700::1111",
        "64:ff9b::808:808",
        "::ffff:8.8.8.8",
        "2002:808:808::1",
        "2a00:1450::1",
    ],
)
def test_what_is_out_there_is(address):
    assert is_public(ip_address(address))


@pytest.fixture
async def sender():
    sender = WebhookSender(AddressPolicy(allow_private=False))
    yield sender
    await sender.close()


@pytest.fixture
async def inside():
    """A server on loopback that nobody may be made to talk to."""
    asked = []

    async def answer(request):
        asked.append(request.path)
        return web.Response(text="a secret")

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield port, asked
    await runner.cleanup()


HOSTS = ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0", "[::ffff:127.0.0.1]", "[::1]"]


@pytest.mark.parametrize("host", [*HOSTS, "10.0.0.1", "169.254.169.254", "[fd00:ec2::254]"])
async def test_an_address_inside_is_refused_when_registered_however_it_is_written(sender, host):
    with pytest.raises(UrlRefused):
        await sender.check(f"http://{host}/")


@pytest.mark.parametrize("host", HOSTS)
async def test_and_again_when_sent_without_a_byte_going_there(sender, inside, host):
    port, asked = inside
    sent = await sender.send(f"http://{host}:{port}/", b"{}", {})
    assert sent.error
    assert (sent.status_code, sent.response_body, asked) == (None, None, [])


async def test_a_name_that_turns_inside_after_its_registration_is_refused_when_sent(sender, inside, monkeypatch):
    port, asked = inside
    answers = ["93.184.216.34", "127.0.0.1"]

    def resolve(_host, port, *_, **__):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), port))]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", resolve)
    await sender.check(f"http://rebound.example:{port}/")
    sent = await sender.send(f"http://rebound.example:{port}/", b"{}", {})
    assert "not sent to" in sent.error
    assert asked == []
    assert answers == []


async def test_a_name_with_one_address_inside_is_refused(sender, monkeypatch):
    def resolve(_host, port, *_, **__):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("93.184.216.34", "10.0.0.1")]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", resolve)
    with pytest.raises(UrlRefused):
        await sender.check("http://half.example/")


async def test_a_name_is_resolved_once_for_a_sending(inside, monkeypatch):
    """What was checked is what is connected to: nobody asks a second time."""
    port, asked = inside
    looked_up = []

    def resolve(host, port, *_, **__):
        looked_up.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", resolve)
    sender = WebhookSender(AddressPolicy(allow_private=True))
    assert (await sender.send(f"http://some.example:{port}/hook", b"{}", {})).status_code == 200
    assert (looked_up, asked) == (["some.example"], ["/hook"])
    await sender.close()


async def test_a_certificate_that_nobody_vouches_for_is_a_failure(inside):
    port, asked = inside
    sender = WebhookSender(AddressPolicy(allow_private=True))
    sent = await sender.send(f"https://127.0.0.1:{port}/", b"{}", {})
    assert sent.error.startswith("TLS failed")
    assert asked == []
    await sender.close()
