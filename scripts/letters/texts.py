"""A sandbox with text messages in it, to open its page."""

import json
import os
import pathlib
import socket
import subprocess
import time
import urllib.parse
import urllib.request

ACCOUNT = "AC5a4db0c15a4db0c15a4db0c15a4db0c1"
TOKEN = "letters"
PERSON = "+12125550123"
# Every text message that there is, as it is sent.
USUAL = pathlib.Path(__file__).resolve().parent.parent.parent / "services/notifier/domain/tests/texts"
HOSTILE = [
    "<script>alert(1)</script><img src=https://evil.example/x.png onerror=alert(1)>",
    "\u202edetrevni \u2066isolated with no end",
    "Donaudampfschifffahrtsgesellschaftskapitän" * 12,
    "😀" * 80 + " ‏שלום",
]


class Texts:
    """The process; ends with it."""

    def __init__(self, leadflow, folder):
        http, smtp = self.free_port(), self.free_port()
        self.base = f"http://127.0.0.1:{http}"
        folder.mkdir(parents=True, exist_ok=True)
        self.log = open(folder / "sandbox.log", "wb")
        settings = {"SANDBOX_HTTP_PORT": str(http), "SANDBOX_SMTP_PORT": str(smtp), "SANDBOX_TWILIO_ACCOUNT_SID": ACCOUNT, "SANDBOX_TWILIO_AUTH_TOKEN": TOKEN}
        self.process = subprocess.Popen([leadflow, "serve", "sandbox"], env=dict(os.environ, **settings), stdout=self.log, stderr=self.log)
        until = time.monotonic() + 30
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the sandbox does not start: {folder / 'sandbox.log'}")
            time.sleep(0.05)
        self.fill()

    @staticmethod
    def free_port():
        """One that nobody has now."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    def answers(self):
        """Whether it serves."""
        try:
            return self.call("/healthz").status == 200
        except OSError:
            return False

    def call(self, path, data=None, **headers):
        """One request."""
        return urllib.request.urlopen(urllib.request.Request(self.base + path, data, headers), timeout=10)

    def fill(self):
        """Messages of all kinds, to several people and from them."""
        secrets = urllib.request.HTTPPasswordMgrWithPriorAuth()
        secrets.add_password(None, self.base, ACCOUNT, TOKEN, is_authenticated=True)
        urllib.request.install_opener(urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(secrets)))
        usual = [path.read_text().rstrip("\n") for path in sorted(USUAL.glob("*.txt"))]
        if len(usual) < 5:
            raise RuntimeError(f"there are only {len(usual)} text messages in {USUAL}")
        for number, body in enumerate(usual + HOSTILE):
            for to in [PERSON, f"+121255501{30 + number}"]:
                form = {"To": to, "From": "+15005550006", "Body": body}
                taken = json.load(self.call(f"/twilio/2010-04-01/Accounts/{ACCOUNT}/Messages.json", urllib.parse.urlencode(form).encode()))
                # As the sandbox counts, which shares no code with who writes them.
                if number < len(usual) and taken["num_segments"] != "1":
                    raise RuntimeError(f"{taken['num_segments']} segments: {body}")
        for person, body in [(PERSON, "Who is this? " * 20), (PERSON, HOSTILE[1]), (PERSON, "x" * 300), ("+12125550130", "STOP"), ("<b>nobody</b>", HOSTILE[0])]:
            self.call("/api/twilio/inbound", json.dumps({"from": person, "body": body}).encode(), **{"Content-Type": "application/json"})
        sid = json.load(self.call("/api/texts?number=%2B12125550131"))["texts"][0]["sid"]
        wanted = {"sid": sid, "status": "undelivered", "errorCode": 30003}
        self.call("/api/twilio/status", json.dumps(wanted).encode(), **{"Content-Type": "application/json"})

    def pages(self):
        """Names and addresses."""
        return [("texts", f"{self.base}/texts"), ("texts-one", f"{self.base}/texts?number={urllib.parse.quote(PERSON)}")]

    def close(self):
        """Ends it."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
