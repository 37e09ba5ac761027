"""Opens pages in headless Chromium, where it is installed."""

import pathlib
import re
import shutil
import subprocess

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--enable-logging=stderr")


def open_page(address: str, profile: pathlib.Path) -> tuple[str, list[str]]:
    """The document of a page after its scripts have run, and the lines of the console; skips without Chromium.

    `profile` is a folder that Chromium may fill. A request that the page's policy forbids is such a line too.
    """
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("Chromium is not installed")
    command = [found, *FLAGS, f"--user-data-dir={profile}", "--virtual-time-budget=3000", "--dump-dom", address]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout, re.findall(r"CONSOLE.*", done.stderr)
