"""The guide from one host to three: its steps, one after another, with real servers."""

import pytest

from tests.end_to_end.host_process import PUBLIC_URL, HostProcess, api_of_a_project
from tests.end_to_end.service_process import ServiceProcess, short_speech, slices
from tests.guides.guides import block
from tests.guides.shell import checkout, run
from tests.tools.free_ports import free_port


def data_of(machine):
    return machine.with_name(f"{machine.name}-data")


def on_this_machine(script):
    """The settings that the guide writes, with addresses that are there."""
    for told, real in {
        "'10.0.0.1'": "'127.0.0.1'",
        "'http://10.0.0.1:8081'": f"'http://127.0.0.1:{free_port()}'",
        "'https://tapedeck.example.com'": f"'{PUBLIC_URL}'",
    }.items():
        assert script.count(told) == 1
        script = script.replace(told, real)
    return script


@pytest.mark.slow
@pytest.mark.timeout(1_200)
async def test_a_service_with_one_host_gets_two_more_step_by_step(tmp_path, database, own_s3, s3_credentials):
    stores = {
        "DATABASE_URL": database,
        "BLOB_URL": f"{own_s3.new_bucket()}/tapes?endpoint={own_s3.endpoint}",
    }
    folders = [tmp_path / f"machine-{number}" for number in range(3)]
    for folder in folders:
        folder.mkdir()
        checkout(folder, data_of(folder))
    alone = ServiceProcess(data_of(folders[0]), stores | {"DEVELOPMENT": "false"})
    await alone.start()
    assert alone.stop() == 0

    written = block("service/runtime/README.md", "From one host to three", "sh", number=1)
    start = block("service/runtime/README.md", "From one host to three", "sh", number=2)
    copied = block("service/runtime/README.md", "From one host to three", "sh", number=3)
    start_further = block("service/runtime/README.md", "From one host to three", "sh", number=4)
    hosts = []
    try:
        for number, folder in enumerate(folders):
            settings = stores | {"DATA_DIR": str(data_of(folder))}
            (folder / "new.env").write_text(
                "".join(f"export TAPEDECK_{name}='{value}'\n" for name, value in settings.items())
            )
            run(on_this_machine(written), folder)
            if number:
                (folders[0] / "host-secrets.tar").rename(folder / "host-secrets.tar")
            host = HostProcess(data_of(folder), stores)
            del host.settings["PEER_URL"], host.settings["PUBLIC_URL"]
            host.command = ("sh", "-euc", f"cd {folder}\n{start_further if number else start}")
            hosts.append(host)
            await host.start()
            run(copied, folders[0])
            assert not number or not (folder / "host-secrets.tar").exists()
        api = await api_of_a_project(hosts[0])
        assert [host.leads for host in hosts] == [True, False, False]
        recording = await api.at(hosts[1]).upload(slices(short_speech(), 3))
        assert (await api.at(hosts[2]).finalize(recording, 3)).status == 200
        assert hosts[0].stop() == 0
        assert (await api.at(hosts[1]).ended(recording))["status"] == "completed"
    finally:
        for host in hosts:
            host.kill()
