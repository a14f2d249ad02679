"""Checks deliveries with the library standardwebhooks: one JSON a line ({"secret", "headers", "body"}), one word a line."""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

for line in sys.stdin:
    delivery = json.loads(line)
    try:
        Webhook(delivery["secret"]).verify(delivery["body"], delivery["headers"], json_parse=False)
        print("genuine")
    except WebhookVerificationError:
        print("forged")
