"""The commit that reports name, for every form of a checkout, with git and without."""

import os
import pathlib
import shutil
import subprocess

import pytest

from models.runtime.git_commit import git_commit

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git to make checkouts")


def git(folder: pathlib.Path, *arguments: str) -> str:
    person = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", *person, *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


def repository(path: pathlib.Path) -> pathlib.Path:
    """A repository with one commit, which depends on its path."""
    path.mkdir()
    git(path, "init", "--quiet", "--initial-branch=topic/one")
    (path / "file").write_text(str(path))
    git(path, "add", "file")
    git(path, "commit", "--quiet", "--message=First")
    return path


def plain(path: pathlib.Path) -> pathlib.Path:
    return repository(path / "plain")


def detached(path: pathlib.Path) -> pathlib.Path:
    git(plain(path), "checkout", "--quiet", "--detach")
    return path / "plain"


def packed(path: pathlib.Path) -> pathlib.Path:
    git(plain(path), "tag", "--annotate", "--message=One", "v1")
    git(path / "plain", "pack-refs", "--all")
    return path / "plain"


def worktree(path: pathlib.Path) -> pathlib.Path:
    git(plain(path), "worktree", "add", "--quiet", "-b", "other", "../worktree")
    return path / "worktree"


def submodule(path: pathlib.Path) -> pathlib.Path:
    plain(path)
    git(repository(path / "outer"), "submodule", "--quiet", "add", str(path / "plain"), "inner")
    return path / "outer" / "inner"


@pytest.fixture(params=["git", "without git"])
def has_git(request, monkeypatch, tmp_path):
    if request.param == "without git":
        real = subprocess.run

        def run(command, **options):
            if command[0] == "git" and "--no-optional-locks" in command:
                raise FileNotFoundError("git")
            return real(command, **options)

        monkeypatch.setattr(subprocess, "run", run)
    return request.param == "git"


@pytest.mark.parametrize("checkout", [plain, detached, packed, worktree, submodule])
def test_commit_of_each_form_of_a_checkout(tmp_path, checkout, has_git):
    """ultrabug/py3status#2138: none in a submodule; jellyfin/jellyfin-vue#2134: none without git, as in slim images."""
    folder = checkout(tmp_path)
    expected = git(folder, "rev-parse", "HEAD")
    assert git_commit(folder) == expected
    git_commit.cache_clear()
    (folder / "file").write_text("changed")
    assert git_commit(folder) == expected + ("+changes" if has_git else "")


def test_commit_is_that_of_the_code_when_the_run_began(tmp_path):
    folder = plain(tmp_path)
    before = git_commit(folder)
    git(folder, "commit", "--quiet", "--allow-empty", "--message=Second")
    assert git_commit(folder) == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_commit_of_a_checkout_of_another_user(tmp_path):
    """casperdcl/git-fame#81: in a container git refuses the mounted folder as of dubious ownership."""
    folder = plain(tmp_path)
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, 12345, 12345)
    with pytest.raises(subprocess.CalledProcessError):
        git(folder, "status")
    assert len(git_commit(folder)) == 40
    git_commit.cache_clear()
    (folder / "file").write_text("changed")
    assert git_commit(folder).endswith("+changes")


def test_commit_is_not_that_of_a_git_hook(tmp_path, monkeypatch, has_git):
    """VundleVim/Vundle.vim#807: git calls hooks with GIT_DIR of the repository that it works on."""
    folder, other = plain(tmp_path), repository(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    assert git_commit(folder) == git(folder, "rev-parse", "HEAD")


@pytest.mark.parametrize("content", ["nothing", "an empty folder", "a file that names no repository", "no commit"])
def test_commit_is_not_that_of_a_folder_above(tmp_path, content, has_git):
    """ecmwf/anemoi-utils#284, mitmproxy/mitmproxy#3987: installed in another project, its commit was recorded."""
    folder = plain(tmp_path) / "installed"
    folder.mkdir()
    if content == "an empty folder":
        (folder / ".git").mkdir()
    elif content == "a file that names no repository":
        (folder / ".git").write_text("gitdir: /nowhere/.git/worktrees/one\n")
    elif content == "no commit":
        git(folder, "init", "--quiet")
    assert git_commit(folder) is None
