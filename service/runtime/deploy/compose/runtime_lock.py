"""The part of requirements.lock that the service needs, without what only developers need. Hashes stay as they are.

`python runtime_lock.py pyproject.toml requirements.lock` writes that to standard output; with names of packages after
these, what those need instead. Only Python is needed.
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path


def part_of_lock(lock: str, requirements: Iterable[str]) -> str:
    """The entries of `lock` that these lead to, by the lock's own `# via`."""
    wanted = set(map(_named, requirements))
    entries = list(_entries(lock))
    while more := {_named(entry) for entry in entries if _parents(entry) & wanted} - wanted:
        wanted |= more
    return "".join(entry for entry in entries if _named(entry) in wanted)


def _entries(lock: str) -> Iterator[str]:
    """Each package's lines; they begin with its name."""
    for entry in re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE):
        if not entry.startswith("#"):
            yield entry


def _named(requirement: str) -> str:
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    if name is None:
        raise ValueError(f"{requirement!r} does not begin with a package's name")
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def _parents(entry: str) -> set[str]:
    return set(re.findall(r"^ +#(?: via)? +([A-Za-z0-9._-]+)$", entry, flags=re.MULTILINE))


def main(pyproject: str, lock: str, *names: str) -> None:
    dependencies = tomllib.loads(Path(pyproject).read_text(encoding="utf-8"))["project"]["dependencies"]
    sys.stdout.write(part_of_lock(Path(lock).read_text(encoding="utf-8"), names or dependencies))


if __name__ == "__main__":
    main(*sys.argv[1:])
