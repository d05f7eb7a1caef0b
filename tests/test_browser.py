"""Pages are looked at in a real browser, and nobody takes its absence on CI for a success."""

from pathlib import Path

import pytest
from PIL import Image

from browser import NoBrowserError, opened, pictured, written


@pytest.fixture
def without_browser(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("CHROME_BIN", raising=False)
    monkeypatch.setenv("PATH", "")
    return monkeypatch


def test_a_test_of_a_page_fails_on_ci_where_no_browser_is(
    without_browser: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without_browser.setenv("CI", "true")
    with pytest.raises(NoBrowserError, match="no browser: install one of chromium"):
        opened(written("<p>a</p>", tmp_path))


def test_a_test_of_a_page_is_skipped_on_a_laptop_without_one(
    without_browser: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without_browser.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no browser"):
        opened(written("<p>a</p>", tmp_path))


@pytest.mark.slow
def test_a_picture_shows_the_page_in_the_size_that_is_asked_for(tmp_path: Path) -> None:
    opened(written("<body style='background: #ff0000'></body>", tmp_path))
    pictured(tmp_path / "page.html", tmp_path / "page.png", (300, 200))
    with Image.open(tmp_path / "page.png") as picture:
        assert picture.size == (300, 200)
        assert picture.convert("RGB").getpixel((150, 100)) == (255, 0, 0)
