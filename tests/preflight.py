"""Says loudly, before the tests begin, what this machine will leave out and how to have it."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import find_chromium

MISSING = """
  ######################################################################
  #  No Chromium found: the tests of the pages will be LEFT OUT.       #
  #  Debian and Ubuntu: apt install chromium                           #
  #  elsewhere: .venv/bin/python -m playwright install chromium        #
  ######################################################################

"""


def has_browser() -> bool:
    """Whether there is a Chromium on the machine, or Playwright's own."""
    if find_chromium() is not None:
        return True
    with sync_playwright() as playwright:
        return Path(playwright.chromium.executable_path).exists()


if __name__ == "__main__" and not has_browser():
    sys.stderr.write(MISSING)
