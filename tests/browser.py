"""A real browser without a window: what it makes of a page, and what it complains about."""

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"),
    *("--no-first-run", "--disable-extensions", "--disable-dev-shm-usage", "--hide-scrollbars"),
    # Time that the page waits for runs faster than the wall's.
    *("--virtual-time-budget=20000", "--enable-logging=stderr", "--v=0"),
)
COMPLAINT = re.compile(r"CONSOLE[(:\d)]*\] \"(?P<text>.*)\", source:")
PLOT = re.compile(r'<div id="(?P<name>plot-[\w-]+)"[^>]*class="plotly-graph-div')


@dataclass(frozen=True)
class Seen:
    """A page as the browser built it.

    Attributes:
        dom: The document after its scripts ran.
        complaints: What it wrote to the console.
    """

    dom: str
    complaints: tuple[str, ...]

    @property
    def plots(self) -> dict[str, int]:
        """Traces and texts that were drawn, by plot."""
        starts = [(match["name"], match.start()) for match in PLOT.finditer(self.dom)]
        ends = [start for _, start in starts[1:]] + [len(self.dom)]
        blocks = {name: self.dom[start:end] for (name, start), end in zip(starts, ends, strict=True)}
        return {
            name: len(re.findall(r'class="(?:trace |annotation-text|hm")', block))
            if "main-svg" in block
            else 0
            for name, block in blocks.items()
        }


class NoBrowserError(RuntimeError):
    """No browser is installed; the message says which would do."""


def browser() -> str:
    """The browser's path.

    Raises:
        NoBrowserError: There is none.
    """
    found = os.environ.get("CHROME_BIN") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise NoBrowserError(f"no browser: install one of {', '.join(NAMES)}, or name it in CHROME_BIN")
    return found


def opened(page: Path) -> Seen:
    """The page, opened from its file; where there is no browser the test is skipped, and on CI it fails."""
    try:
        done = _run(page, (1200, 3000), "--dump-dom")
    except NoBrowserError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    complaints = tuple(match["text"] for match in COMPLAINT.finditer(done.stderr))
    return Seen(done.stdout, complaints)


def pictured(page: Path, picture: Path, size: tuple[int, int]) -> None:
    """The page's top as a PNG of width and height ``size``, in few colours.

    Raises:
        NoBrowserError: There is none.
    """
    _run(page, size, f"--screenshot={picture.absolute()}")
    with Image.open(picture) as taken:
        few = taken.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    few.save(picture, optimize=True)


def _run(page: Path, size: tuple[int, int], *options: str) -> "subprocess.CompletedProcess[str]":
    window = f"--window-size={size[0]},{size[1]}"
    with tempfile.TemporaryDirectory() as profile:
        command = [
            browser(),
            *FLAGS,
            window,
            f"--user-data-dir={profile}",
            *options,
            page.absolute().as_uri(),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done


def written(page: str, folder: Path) -> Path:
    """The page as a file."""
    path = folder / "page.html"
    path.write_text(page)
    return path
