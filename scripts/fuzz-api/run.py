"""Makes a tenant as a front end would, then has schemathesis try the API as each kind of caller. See fuzz-api.sh."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request

BFF = f"http://127.0.0.1:{os.environ['BFF_HTTP_PORT']}"
GATEWAY = f"http://127.0.0.1:{os.environ['INGEST_HTTP_PORT']}"
SANDBOX = f"http://127.0.0.1:{os.environ['SANDBOX_HTTP_PORT']}"
HERE = os.path.dirname(os.path.abspath(__file__))
PASSWORD = os.environ["FUZZ_PASSWORD"]
EXAMPLES = os.environ.get("EXAMPLES", "10")
SEED = os.environ.get("SEED", "20261123")
# Fewer would mean that most of the API was not tried at all.
FEWEST = 2000
SECONDS = 1200

CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "unsupported_method",
]
# Operations that end the session that all other requests need (schemathesis sees the session's id in the list of sessions):
# they are tried last, alone.
ENDING = ["post_auth_logout", "delete_auth_sessions_id"]
# And a stream without an end, which nobody can wait for.
LEFT_OUT = ["get_events", *ENDING]


def call(method, path, body=None, headers=None, wanted=(200, 201)):
    request = urllib.request.Request(BFF + path, method=method, headers=dict(headers or {}))
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("content-type", "application/json")
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read()
        assert answer.status in wanted, f"{method} {path}: {answer.status}"
        return json.loads(text) if text else None


def bearer(person):
    return {"Authorization": "Bearer " + person["token"]}


def person(name, **more):
    email = f"{name}@fuzz.example"
    body = {"email": email, "password": PASSWORD, "name": name, "companyName": name, **more}
    registered = call("POST", "/api/auth/register", body)
    return {"token": signed_in(email), "user": registered["user"]}


def signed_in(email):
    return call("POST", "/api/auth/login", {"email": email, "password": PASSWORD})["token"]


def suppliers_person(seller, supplier):
    """Somebody who signs in for a supplier, invited by a mail that the sandbox has."""
    email = "supplier@fuzz.example"
    call("POST", f"/api/suppliers/{supplier}/invite", {"email": email}, bearer(seller))
    deadline = time.monotonic() + 60
    while True:
        with urllib.request.urlopen(f"{SANDBOX}/api/mails?to={email}", timeout=60) as answer:
            mails = json.loads(answer.read())["mails"]
        if mails:
            break
        assert time.monotonic() < deadline, "no mail came"
        time.sleep(0.2)
    token = mails[0]["links"][0].split("token=")[1]
    call("POST", "/api/team/invitations/accept", {"token": token, "password": PASSWORD, "name": "Sol"})
    return {"token": signed_in(email)}


def records(seller, buyer):
    """One of everything that a path names."""
    mine, his = bearer(seller), bearer(buyer)
    fields = [{"name": "firstName", "type": "text"}, {"name": "email", "type": "email", "required": True}]
    category = call("POST", "/api/categories", {"name": f"Kind {time.time_ns()}", "fields": fields}, mine)["category"]["id"]
    body = {"categoryId": category, "name": "C", "pricePerLead": 25, "distributionLogic": "BROADCAST"}
    campaign = call("POST", "/api/campaigns", body, mine)["campaign"]["id"]
    subscription = call("POST", "/api/campaigns/subscribe", {"campaignId": campaign}, his)["subscription"]["id"]
    supplier = call("POST", "/api/suppliers", {"name": "S", "categories": [category]}, mine)
    return {
        "categories": category,
        "campaigns": campaign,
        "subscribe": subscription,
        "suppliers": supplier["supplier"]["id"],
        "buyers": buyer["user"]["buyerId"],
        "key": supplier["apiKey"],
    }


def paid(buyer):
    """Two cards of the sandbox's Stripe, and a payment with the first."""
    his = bearer(buyer)
    cards = [call("POST", "/api/payments/methods", {"paymentMethodId": "pm_card_visa"}, his)["paymentMethod"]["id"] for _ in range(2)]
    payment = call("POST", "/api/payments/wallet", {"amount": 50}, his)["paymentId"]
    return {"methods": cards[0], "payments": payment}, {"methods": cards[1], "payments": payment}


def posted(ids):
    """A lead that was sold, as soon as the gateway knows of all it needs."""
    body = {"campaignId": ids["campaigns"], "data": {"firstName": "John", "email": "john@example.com"}}
    deadline = time.monotonic() + 60
    while True:
        try:
            return call("POST", "/api/leads/ingest", body, {"X-API-Key": ids["key"]})["leadId"]
        except urllib.error.HTTPError as refused:
            if refused.code not in (401, 403, 404, 503) or time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def fuzz(who, base, headers, ids, only):
    """Runs schemathesis as one caller. Gives the number of cases, and whether all was well."""
    command = [os.path.join(os.path.dirname(sys.executable), "schemathesis")]
    command += ["--config-file", os.path.join(HERE, "schemathesis.toml"), "run", BFF + "/api/openapi.json"]
    command += ["--url", base, "--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing"]
    command += ["--mode", "all", "--max-examples", EXAMPLES, "--seed", SEED, "--workers", "1"]
    # What is wrong is told with its request; nobody waits for a smaller one. What is kept is kept where it is thrown away.
    command += ["--no-shrink", "--generation-database", "none", "--continue-on-failure"]
    # Credentials are the caller's own; slow machines are no failure.
    command += ["--generation-with-security-parameters", "false", "--suppress-health-check", "all"]
    command += ["--request-timeout", "60", "--no-color", "--warnings", "off", "--output-sanitize", "false", *only]
    for name, value in headers.items():
        command += ["--header", f"{name}:{value}"]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "FUZZ_IDS": json.dumps(ids), "PYTHONPATH": HERE, "PYTHONDONTWRITEBYTECODE": "1"}
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=os.environ["LEADFLOW_HOME"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS
    )
    found = re.search(r"([0-9,]+) generated", done.stdout)
    cases = int(found[1].replace(",", "")) if found else 0
    print(f"fuzz-api: {who}: {cases} cases in {time.monotonic() - began:.0f} s", flush=True)
    if done.returncode != 0:
        print(done.stdout, flush=True)
    return cases, done.returncode == 0 and cases > 0


def main():
    seller = person("seller", role="SELLER")
    code = seller["user"]["inviteCode"]
    buyer, spare = (person(name, role="BUYER", inviteCode=code) for name in ("buyer", "spare"))
    call("POST", f"/api/buyers/{buyer['user']['buyerId']}/credits", {"amount": 1000, "reason": "fuzz"}, bearer(seller))
    keep, lose = records(seller, buyer), records(seller, spare)
    for known, more in zip((keep, lose), paid(buyer)):
        known.update(more)
    stranger = person("stranger", role="SELLER")
    keep["sellers"] = lose["sellers"] = stranger["user"]["sellerId"]
    keep["ingest"] = keep["leads"] = lose["leads"] = posted(keep)
    ids = {"keep": keep, "lose": lose}

    everything = [word for name in LEFT_OUT for word in ("--exclude-operation-id", name)]
    ingest = ["--include-path-regex", "^/api/leads/ingest"]
    admins = ["--include-path-regex", "^/api/(admin|auth)/", *everything]
    log_out = [word for name in ENDING for word in ("--include-operation-id", name)]
    key = {"X-API-Key": keep["key"]}
    admin = {"token": signed_in("admin@fuzz.example")}
    supplier = suppliers_person(seller, keep["suppliers"])
    total, well = 0, True
    # In this order: a seller puts buyers and suppliers out of use, an administrator sellers.
    for who, base, headers, only in [
        ("a buyer", BFF, bearer(buyer), everything),
        ("a supplier's person", BFF, bearer(supplier), everything),
        ("a supplier's key, at the bff", BFF, key, ingest),
        ("a supplier's key, at the gateway", GATEWAY, key, ingest),
        ("nobody", BFF, {}, everything),
        ("a seller", BFF, bearer(seller), everything),
        ("a seller who logs out", BFF, bearer(seller), log_out),
        ("an administrator", BFF, bearer(admin), admins),
    ]:
        # What an earlier caller ended would only be refused.
        if headers.get("Authorization"):
            call("GET", "/api/auth/session", headers=headers)
        cases, fine = fuzz(who, base, headers, ids, only)
        total, well = total + cases, well and fine
        # One who was signed out in between was not tried at all.
        if headers.get("Authorization") and only is not log_out:
            call("GET", "/api/auth/session", headers=headers)
    print(f"fuzz-api: {total} cases in all", flush=True)
    if total < FEWEST:
        sys.exit(f"fuzz-api: failed: {FEWEST} cases are the least")
    if not well:
        sys.exit("fuzz-api: failed: see above; CI runs what `make fuzz-api` does, with the same seed")


main()
