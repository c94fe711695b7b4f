"""The guide to the command line: its block runs as it stands, and it names every command."""

import re

import pytest
from click import Context, Group

from service.cli import main
from tests.guides.guides import block, prose
from tests.guides.shell import checkout, run


def command_names() -> set[str]:
    context = Context(main)
    names = set()
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        names |= {f"{name} {below}" for below in command.commands} if isinstance(command, Group) else {name}
    return names


@pytest.mark.slow
def test_a_recording_is_uploaded_shown_and_downloaded(service, tmp_path):
    folder = checkout(tmp_path, service.data_dir)
    first = block("README.md", "Run it", "sh", number=2)
    script = block("service/cli/README.md", "For those who record", "sh")
    url = {"TAPEDECK_URL": service.url}
    words = run(first, folder, **url).stdout
    ran = run(script, folder, **url)
    assert words
    assert ran.stdout.startswith(words)
    assert re.search(r"status +completed", ran.stdout)
    assert "ChunkStored" in ran.stdout
    assert " --> " in (folder / "visit.srt").read_text()
    sent = folder / "service/sample/consultation.opus"
    assert (folder / "visit.opus").read_bytes() == sent.read_bytes()


def test_every_command_is_in_the_guide_and_no_other():
    named = re.findall(r"^\| `tapedeck ([a-z ]+?)(?: [A-Z]+)*` \|", prose("service/cli/README.md"), re.MULTILINE)
    assert {"rebuild" if name.startswith("rebuild ") else name for name in named} == command_names()
