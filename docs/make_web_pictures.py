"""Make the pictures of the web app: ``python docs/make_web_pictures.py``, with Chromium at hand."""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from vrpsam_app.web.launch import launch_app

FOLDER = Path(__file__).resolve().parent / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SCREEN = {"width": 1280, "height": 860}
ALL_FOUND = (
    "[...document.querySelectorAll('.thumb')].every((t) => /found|absent/.test(t.dataset.state))"
)


def first_result(page: Page) -> None:
    """Press the button that everybody presses first."""
    page.click("#find")
    page.wait_for_function(ALL_FOUND, timeout=120_000)
    page.mouse.move(5, 5)


def found_in_the_grass(page: Page) -> None:
    """Look at the harder picture, without its specks, and accept it."""
    first_result(page)
    page.locator(".thumb").nth(1).click()
    page.locator("[data-slider=smallest]").fill("40")
    page.click("[data-verdict=accept]")
    page.mouse.move(5, 5)


PICTURES = {
    "web_app.png": ("light", first_result),
    "web_app_dark.png": ("dark", found_in_the_grass),
}


def main() -> None:
    """Serve the app on the embedded model and photograph it."""
    (chromium,) = [path for name in BROWSERS if (path := shutil.which(name))][:1]
    app = launch_app(block=False, quiet=True)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
            )
            for name, (theme, act) in PICTURES.items():
                page = browser.new_page(
                    viewport=SCREEN, device_scale_factor=1.25, reduced_motion="reduce"
                )
                page.goto(f"{app.local_url}?__theme={theme}")
                page.wait_for_selector(".thumb")
                act(page)
                page.wait_for_timeout(1000)
                page.screenshot(path=FOLDER / name)
                page.close()
            browser.close()
    finally:
        app.close()


if __name__ == "__main__":
    main()
