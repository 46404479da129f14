"""Documents point to files that exist, and every benchmark has its page, which the site and the README know."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vismark.registry import cards

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\(([^)#\s]+)")
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_to_files(document: str) -> None:
    targets = [target for target in LINK.findall((ROOT / document).read_text()) if "://" not in target]
    assert [target for target in targets if not (ROOT / target).exists()] == []


@pytest.mark.parametrize("name", list(cards("benchmarks")))
def test_every_benchmark_is_on_a_page_of_the_site(name: str) -> None:
    site = (ROOT / "mkdocs.yml").read_text()
    pages = [page for page in sorted((ROOT / "docs/benchmarks").glob("*.md")) if f"`{name}`" in page.read_text()]
    assert any(f"benchmarks/{page.name}" in site for page in pages), f"no page of the site says what {name} is"


@pytest.mark.parametrize("name", [name for name, card in cards("benchmarks").items() if card.dataset != "shapes"])
def test_the_readme_names_the_family_of_every_benchmark(name: str) -> None:
    readme = (ROOT / "README.md").read_text()
    family = re.sub(r"-(2014|2017|2023|holdout)$", "", name)
    assert f"`{family}`" in readme
