"""Opens every letter (and the sandbox's page of text messages) in Chromium: on a phone and on a desk, light and dark.

What must hold: nothing scrolls sideways, nothing is fetched, nothing runs, letters are large enough, colours far enough apart, and whatever is
touched as high as a finger. Pictures go to a folder, to be looked at. The rules are tried first on letters that break them.

    check.py CHROMIUM LEADFLOW PICTURES
"""

import json
import os
import pathlib
import sys

from chromium import Chromium, Gone
from texts import Texts

HERE = pathlib.Path(__file__).resolve().parent
LETTERS = HERE.parent.parent / "services/notifier/domain/tests/letters"
SCREENS = [("phone", 375, 812, True), ("desk", 1280, 900, False)]
SCHEMES = ["light", "dark"]
RULES = (HERE / "rules.js").read_text()


class Page:
    """What opens pages and judges them."""

    def __init__(self, program):
        self.browser = Chromium(program)
        for domain in ["Page", "Network", "Debugger", "Runtime"]:
            self.browser.call(f"{domain}.enable")

    def judge(self, url, picture, screen, scheme):
        """Opens a page as one screen shows it: what is wrong with it, in words."""
        name, width, height, mobile = screen
        call = self.browser.call
        call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.browser.take_events()
        frame = call("Page.navigate", url=url)
        if frame.get("errorText"):
            return [f"it does not open: {frame['errorText']}"]
        self.browser.wait_for("Page.loadEventFired")
        problems = []
        for event in self.browser.take_events():
            params = event.get("params", {})
            if event.get("method") == "Network.requestWillBeSent" and params["request"]["url"] != url:
                problems.append(f"it asks for {params['request']['url'][:80]}")
            if event.get("method") == "Debugger.scriptParsed":
                problems.append("it runs a script")
        world = call("Page.createIsolatedWorld", frameId=frame["frameId"])["executionContextId"]
        found = call("Runtime.evaluate", expression=f"({RULES})({width})", contextId=world, returnByValue=True)
        if "exceptionDetails" in found:
            raise Gone(json.dumps(found["exceptionDetails"])[:600])
        found = found["result"]["value"]
        self.browser.screenshot(picture / f"{name}-{scheme}.png", width, max(found["height"], height if mobile else 0))
        self.browser.take_events()
        return problems + found["problems"]

    def judge_all(self, url, picture):
        """The same on every screen."""
        picture.mkdir(parents=True, exist_ok=True)
        problems = []
        for screen in SCREENS:
            for scheme in SCHEMES:
                problems += [f"{screen[0]}, {scheme}: {it}" for it in self.judge(url, picture, screen, scheme)]
        return problems


def prove_the_rules(page, pictures):
    """Each bad letter says in its first line what has to be found; how many were not found out."""
    missed = 0
    for path in sorted((HERE / "bad").glob("*.html")):
        wanted = path.read_text().splitlines()[0].removeprefix("<!-- ").removesuffix(" -->")
        problems = page.judge_all(path.as_uri(), pictures / "bad" / path.stem)
        if not any(wanted in problem for problem in problems):
            missed += 1
            print(f"letters: FAILED: {path.name} passes, though \"{wanted}\": {problems}")
    return missed


def main():
    program, leadflow, pictures = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]).resolve()
    letters = sorted(LETTERS.rglob("*.html"))
    if len(letters) < 15:
        print(f"letters: FAILED: there are only {len(letters)} letters in {LETTERS}")
        return 1
    page, failed, opened = Page(program), 0, 0
    texts = None
    try:
        failed += prove_the_rules(page, pictures)
        pages = [(str(path.relative_to(LETTERS).with_suffix("")), path.as_uri()) for path in letters]
        texts = Texts(leadflow, pictures)
        pages += texts.pages()
        for name, url in pages:
            problems = page.judge_all(url, pictures / name.replace("/", "-"))
            opened += 1
            for problem in problems:
                print(f"letters: FAILED: {name}: {problem}")
            failed += bool(problems)
    finally:
        page.browser.close()
        if texts:
            texts.close()
    print(f"letters: {opened} opened on {len(SCREENS)} screens, light and dark; {failed} with problems; pictures: {pictures}")
    return 1 if failed else 0


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
