"""A headless Chromium, spoken to through its DevTools pipe: nothing but Python's own library is needed."""

import base64
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time

# What opens nothing, asks nobody, and looks the same everywhere. Neither root nor most containers can have its sandbox; what it opens is our own,
# and runs nothing.
FLAGS = [
    "--headless=new", "--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--remote-debugging-pipe",
    "--no-first-run", "--no-default-browser-check", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-default-apps", "--disable-gpu",
    "--disable-dev-shm-usage", "--metrics-recording-only", "--mute-audio", "--hide-scrollbars", "--force-color-profile=srgb",
    "--font-render-hinting=none", "--disable-features=Translate,OptimizationHints,MediaRouter", "about:blank",
]
PATIENCE = 60


class Gone(Exception):
    """Chromium ended, or does not answer."""


class Chromium:
    """One browser with one page."""

    def __init__(self, program):
        self.profile = tempfile.mkdtemp(prefix="letters-")
        to_read, self.say = os.pipe()
        self.hear, to_write = os.pipe()
        # Its ends are descriptors 3 and 4; ours and theirs must be none of those before.
        to_read, to_write = (fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (to_read, to_write))
        command = ["bash", "-c", f'exec "$@" 3<&{to_read} 4>&{to_write}', "bash", program, f"--user-data-dir={self.profile}", *FLAGS]
        self.log = open(os.path.join(self.profile, "log"), "wb+")
        self.process = subprocess.Popen(command, pass_fds=(to_read, to_write), stdout=self.log, stderr=self.log)
        os.close(to_read)
        os.close(to_write)
        os.set_blocking(self.hear, False)
        self.buffer, self.number, self.events, self.session = b"", 0, [], None
        try:
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        except Gone:
            self.close()
            raise

    def close(self):
        """Ends it and removes its profile."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method, **params):
        """Calls a method of DevTools; what it returns. Events meanwhile are kept."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        try:
            os.write(self.say, json.dumps(message).encode() + b"\0")
        except BrokenPipeError:
            raise Gone(self.last_words()) from None
        while True:
            answer = self.next()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise Gone(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, method):
        """The next event of this kind, which may have come already."""
        while True:
            for event in self.events:
                if event.get("method") == method:
                    self.events.remove(event)
                    return event["params"]
            self.events.append(self.next())

    def take_events(self):
        """All events so far."""
        events, self.events = self.events, []
        return events

    def next(self):
        """One message."""
        until = time.monotonic() + PATIENCE
        while b"\0" not in self.buffer:
            try:
                more = os.read(self.hear, 1 << 20)
            except BlockingIOError:
                if self.process.poll() is not None or time.monotonic() > until:
                    raise Gone(self.last_words()) from None
                time.sleep(0.005)
                continue
            if not more:
                raise Gone(self.last_words())
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(line)

    def last_words(self):
        """What it said before it ended."""
        self.log.flush()
        self.log.seek(0)
        return "Chromium ended or does not answer: " + self.log.read().decode(errors="replace")[-600:]

    def screenshot(self, path, width, height):
        """All of the page, into a file."""
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        picture = self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        with open(path, "wb") as file:
            file.write(base64.b64decode(picture["data"]))
