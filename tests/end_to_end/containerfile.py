"""The Containerfile, taken apart."""

import re

from tests.places import REPOSITORY

CONTAINERFILE = REPOSITORY / "service/runtime/deploy/compose/Containerfile"


def instructions():
    """Of each stage: keyword and the rest, lines that go on put together."""
    text = re.sub(r"^#.*\n", "", CONTAINERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    stages = []
    for keyword, rest in (line.split(maxsplit=1) for line in text.splitlines() if line):
        if keyword == "FROM":
            stages.append([])
        stages[-1].append((keyword, " ".join(rest.split())))
    return stages


def instructions_of_the_image():
    """Of the last stage: keyword -> the rest; of ENV, the service's settings."""
    _, last = instructions()
    found = dict(last)
    pairs = dict(pair.split("=", 1) for pair in found["ENV"].split())
    found["ENV"] = {name: value for name, value in pairs.items() if name.startswith("TAPEDECK_")}
    found["PATH"] = pairs["PATH"]
    return found
