"""What the docs say of the code is so."""

import re
from pathlib import Path

import pytest

from processes import ROOT

DECISIONS = sorted((ROOT / "docs/decisions").glob("0*.md"))
PARTS = ("**Question.**", "**Vendor advice.**", "**Choice.**", "**Cost.**", "**Look again**", "**Held by**")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.slow
def test_the_drawings_are_current() -> None:
    from architecture import PAGE, redrawn

    page = PAGE.read_text()
    assert redrawn(page) == page, "run `python tests/architecture.py` and commit docs/architecture.md"


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_has_all_parts_in_order(page: Path) -> None:
    places = [page.read_text().find(part) for part in PARTS]
    assert -1 not in places
    assert places == sorted(places)
    assert page.read_text().startswith(f"# {page.name[:4]} ")


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_is_held_by_tests_that_are_there(page: Path) -> None:
    held = page.read_text().split("**Held by**")[1]
    tests = re.findall(r"`(?:tests/)?([\w/]*test_\w+\.py)`", held)
    assert tests
    known = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    assert [test for test in tests if Path(test).name not in known] == []


def test_every_decision_is_listed_with_its_own_title_and_number() -> None:
    listed = re.findall(r"\| \[(\d{4})\]\(([\w.-]+)\)", (ROOT / "docs/decisions/README.md").read_text())
    assert listed == [(page.name[:4], page.name) for page in DECISIONS]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    own = [link for link in links if not re.match(r"https?://|mailto:", link)]
    assert [link for link in own if not (page.parent / link).exists()] == []
