"""The commit of the code that runs."""

import functools
import os
import pathlib
import re
import subprocess

from pipeline.common.config import CHECKOUT

COMMIT = re.compile("[0-9a-f]{40}([0-9a-f]{24})?")  # SHA-1 or SHA-256


@functools.cache
def git_commit(checkout: pathlib.Path = CHECKOUT) -> str | None:
    """The checkout's commit at the first call, with `+changes` where files differ from it; None outside of a checkout.

    The repository is named instead of searched for: git then does not ask who owns the folder, takes no repository of
    a folder above, and none that a git hook that calls us has in GIT_DIR. Without git, `.git` itself is read.
    """
    repository = checkout / ".git"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}

    def git(*arguments: str) -> str:
        command = ["git", "--no-optional-locks", f"--git-dir={repository}", f"--work-tree={checkout}", *arguments]
        done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    if not repository.exists():
        return None
    try:
        commit = git("rev-parse", "--verify", "HEAD")
    except (OSError, subprocess.CalledProcessError):
        return _read_head(repository)
    try:
        return commit + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")
    except subprocess.CalledProcessError:  # such as an index that this user may not read
        return commit


def _read_head(repository: pathlib.Path) -> str | None:
    """The commit of HEAD; None where it cannot be read. Source: gitrepository-layout(5)."""
    try:
        if repository.is_file():  # of a worktree or a submodule
            repository = repository.parent / repository.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
        shared = repository / "commondir"
        common = repository / shared.read_text(encoding="utf-8").strip() if shared.exists() else repository
        head = (repository / "HEAD").read_text(encoding="utf-8").strip()
        if head.startswith("ref:"):
            head = _read_reference(common, head.removeprefix("ref:").strip())
    except (OSError, UnicodeDecodeError):
        return None
    return head if COMMIT.fullmatch(head) else None


def _read_reference(common: pathlib.Path, name: str) -> str:
    """The content of a reference, which is a file of its own or a line of `packed-refs`; "" where there is none."""
    if (common / name).is_file():
        return (common / name).read_text(encoding="utf-8").strip()
    lines = (line.split() for line in (common / "packed-refs").read_text(encoding="utf-8").splitlines())
    return next((words[0] for words in lines if words[1:] == [name]), "")
