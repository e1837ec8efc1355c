"""What the library of the Standard Webhooks project says to webhooks.

Reads a JSON array of {"secret", "headers", "body"} and writes one of {"data"}, what it read, or
{"error"}, why it refuses. A secret without `whsec_` is its own bytes.
"""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


def verified(webhook):
    secret = webhook["secret"]
    key = secret if secret.startswith("whsec_") else secret.encode()
    try:
        return {"data": Webhook(key).verify(webhook["body"], webhook["headers"])}
    except WebhookVerificationError as refusal:
        return {"error": str(refusal)}


json.dump([verified(webhook) for webhook in json.load(sys.stdin)], sys.stdout)
