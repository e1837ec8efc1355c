"""A sandbox with text messages in it, to open its page."""

import json
import os
import socket
import subprocess
import time
import urllib.parse
import urllib.request

ACCOUNT = "AC5a4db0c15a4db0c15a4db0c15a4db0c1"
TOKEN = "letters"
PERSON = "+12125550123"
SENT = [
    "Acme via LeadFlow: a new lead, John O. in CA, $25.00. See LeadFlow. STOP ends these.",
    "Acme via LeadFlow: your balance is $9.50, below $50.00. Leads go to others when it is used up.",
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
        for number, body in enumerate(SENT):
            for to in [PERSON, f"+1212555013{number}"]:
                form = {"To": to, "From": "+15005550006", "Body": body}
                self.call(f"/twilio/2010-04-01/Accounts/{ACCOUNT}/Messages.json", urllib.parse.urlencode(form).encode())
        for person, body in [(PERSON, "Who is this? " * 20), (PERSON, SENT[3]), (PERSON, "x" * 300), ("+12125550130", "STOP"), ("<b>nobody</b>", SENT[2])]:
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
