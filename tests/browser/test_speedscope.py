"""speedscope's own page and schema read what we write; `npm ci` here fetches them."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest

from ebprof.output import speedscope
from tests.builders import example

RELEASE = Path(__file__).parent / "node_modules/speedscope/dist/release"
pytestmark = pytest.mark.skipif(
    not RELEASE.is_dir(), reason="needs npm's speedscope: run npm ci in tests/browser"
)


def written() -> bytes:
    file = io.BytesIO()
    speedscope.write(example(), file)
    return file.getvalue()


def open_page(browser: Any, directory: Path) -> None:
    """Open the page as speedscope's command line does: the profile is a script beside it."""
    script = directory / "profile.js"
    data = base64.b64encode(written()).decode()
    script.write_text(f"speedscope.loadFileFromBase64('example.speedscope.json', '{data}')")
    browser.get(f"{(RELEASE / 'index.html').as_uri()}#view=sandwich&localProfilePath={script}")


def text_of(browser: Any) -> str:
    return str(browser.execute_script("return document.body.innerText"))


def test_it_follows_the_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="needs jsonschema (PyPI)")
    schema = json.loads((RELEASE / "file-format-schema.json").read_text())
    jsonschema.validate(json.loads(written()), schema)


def test_the_page_shows_functions_with_their_time(browser: Any, tmp_path: Path) -> None:
    from selenium.webdriver.support.wait import WebDriverWait

    open_page(browser, tmp_path)
    WebDriverWait(browser, 20).until(lambda _: "fft" in text_of(browser))
    rows = dict(_rows(browser))
    assert rows["fft<float>(float const*)"] == ("1.60s (48%)", "1.60s (48%)")
    assert rows["step"] == ("0.00ns (<0.01%)", "2.20s (66%)")
    assert "demo (1)" in browser.title or "demo (1)" in text_of(browser)


def _rows(browser: Any) -> list[tuple[str, tuple[str, str]]]:
    """(function, (self, total)) of the sandwich view's table."""
    script = """
        return [...document.querySelectorAll("tr")].map(
            row => [...row.querySelectorAll("td")].map(cell => cell.innerText.trim()));
    """
    cells = [row for row in browser.execute_script(script) if len(row) == 3]
    return [(name, (own, total)) for total, own, name in cells]
