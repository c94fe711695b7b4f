"""Which commit is the previous release."""

import subprocess

import pytest

from tests.left_out import needed
from tests.tools.previous_release import NoHistory, previous_release

WHO = {f"GIT_{role}_{what}": "x@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def git(folder, *arguments):
    program = needed("git", "makes a repository")
    ran = subprocess.run(
        [program, "-C", str(folder), *arguments], env=WHO | {"HOME": str(folder)}, check=True, capture_output=True
    )
    return ran.stdout.decode().strip()


@pytest.fixture
def repository(tmp_path):
    """Two releases, with commits before and after the second one's; gives the commits, too."""
    folder, commits = tmp_path / "repository", []
    folder.mkdir()
    git(folder, "init", "--quiet")
    for version, text in (("0.1.0", "a"), ("0.1.0", "b"), ("0.2.0", "b"), ("0.2.0", "c")):
        (folder / "pyproject.toml").write_text(f'[project]\nname = "x"\nversion = "{version}"\n')
        (folder / "code.py").write_text(text)
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "--message", text)
        commits.append(git(folder, "rev-parse", "HEAD"))
    return folder, commits


def test_it_is_the_last_commit_before_the_version_was_raised(repository):
    folder, commits = repository
    assert previous_release(folder) == commits[1]


def test_a_shallow_clone_and_a_folder_that_is_no_clone_have_none(repository, tmp_path):
    folder, _ = repository
    git(tmp_path, "clone", "--quiet", "--depth", "1", folder.as_uri(), "shallow")
    with pytest.raises(
        NoHistory, match="cannot be had, since this clone is shallow; it needs git, and a clone with all"
    ):
        previous_release(tmp_path / "shallow")
    with pytest.raises(NoHistory, match="since this is no clone"):
        previous_release(tmp_path)


def test_what_git_says_is_told(repository):
    folder, _ = repository
    (folder / ".git" / "HEAD").write_text("damaged")
    with pytest.raises(NoHistory, match=r"git says 'fatal: not a git repository"):
        previous_release(folder)
