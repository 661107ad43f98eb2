"""Debian's Chromium under playwright, quiet on the network."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.waiting import LIMIT_S

CHROMIUM = Path("/usr/bin/chromium")
LIMIT_MS = 1000 * LIMIT_S
"""What is done on a page, and what is expected of it, may take as long as anything that tests wait for."""
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser; the test fails with a clear sentence when there is none."""
    if not CHROMIUM.exists():
        pytest.fail(f"{CHROMIUM} is missing: the page is tested in Debian's Chromium (apt-get install chromium)")
    expect.set_options(timeout=LIMIT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=_ARGUMENTS, timeout=LIMIT_MS)
        try:
            yield browser
        finally:
            browser.close()


def new_page(browser: Browser, **options: Any) -> Page:
    """A tab of its own."""
    page = browser.new_page(**options)
    page.set_default_timeout(LIMIT_MS)
    return page
