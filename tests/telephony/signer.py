"""Signs callbacks as providers of telephony do, by their own libraries.

Reads a command in JSON from each line of its input, and answers each with a line: `{"headers": [[name, value]], "body": text}`, or
`{"error": words}`. What a provider's library can check, it has checked before it is answered.

    {"provider": "twilio", "method": "POST", "url": "https://...", "form": [["CallSid", "CA1"]], "secret": "..."}

`form` is what is sent as a form, `json` what is sent as JSON (its text, as it is). Further keys are explained where they are read.
"""

import base64
import hashlib
import hmac
import importlib.util
import io
import json
import os
import sys
import time
import uuid
from contextlib import redirect_stdout
from urllib.parse import urlencode

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


def gathered(pairs):
    """Fields by their names; those that come several times as lists."""
    fields = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}


class Several(dict):
    """Fields as frameworks hand them to Twilio's library."""

    def getall(self, name):
        value = self[name]
        return value if isinstance(value, list) else [value]


def twilio(command):
    """`algorithm`: HMAC_SHA256 signs with a key of its own."""
    from twilio.request_validator import RequestValidator

    url, algorithm = command["url"], command.get("algorithm")
    validator = RequestValidator(command["secret"])
    if "json" in command:
        body, kind, fields = command["json"], JSON, {}
        # Twilio itself adds the body's hash to the address.
        signed_url = url + ("&" if "?" in url else "?") + "bodySHA256=" + validator.compute_hash(body)
        signature = validator.compute_signature(signed_url, {}, algorithm)
        holds = validator.validate(signed_url, body, signature, algorithm)
    else:
        fields = Several(gathered(command["form"]))
        body, kind = urlencode(command["form"]), FORM
        if command["method"] == "GET":
            fields = Several()
        signature = validator.compute_signature(url, fields, algorithm)
        holds = validator.validate(url, fields, signature, algorithm)
    assert holds, "Twilio's library does not believe itself"
    made = {"url": signed_url} if "json" in command else {}
    headers = [["X-Twilio-Signature", signature], ["Content-Type", kind], ["I-Twilio-Idempotency-Token", str(uuid.uuid4())]]
    if algorithm:
        headers.append(["X-Twilio-Webhooks-Signature-Settings", "key=webhooks_sharedkey_1,algorithm=" + algorithm])
    return {"headers": headers, "body": body, **made}


def plivo(command):
    from plivo.utils import signature_v3 as v3

    url, secret, nonce = command["url"], command["secret"], str(uuid.uuid4().int)[:20]
    fields = gathered(command["form"])
    make = v3.construct_get_url if command["method"] == "GET" else v3.construct_post_url
    signature = v3.get_signature_v3(secret, make(url, dict(fields)).decode(), nonce).decode()
    # One of a list is enough: the others are of the account's other tokens.
    listed = ",".join([base64.b64encode(b"of another token, 32 bytes long.").decode(), signature])
    assert v3.validate_v3_signature(command["method"], url, nonce, secret, listed, dict(fields))
    headers = [["X-Plivo-Signature-V3", listed], ["X-Plivo-Signature-V3-Nonce", nonce], ["Content-Type", FORM]]
    return {"headers": headers, "body": urlencode(command["form"])}


def of_package(package, path):
    """A file of a package without the package, which takes seconds to read."""
    folder = importlib.util.find_spec(package).submodule_search_locations[0]
    spec = importlib.util.spec_from_file_location(os.path.basename(path)[:-3], os.path.join(folder, path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def telnyx(command):
    """`secret`: the seed in hexadecimal digits. `late`: it was signed so many seconds ago."""
    from nacl.signing import SigningKey

    checks = of_package("telnyx", "lib/webhook_verification.py")
    key = SigningKey(bytes.fromhex(command["secret"]))
    body, kind = (command["json"], JSON) if "json" in command else (urlencode(command["form"]), FORM)
    late = command.get("late", 0)
    stamp = str(int(time.time()) - late)
    signature = base64.b64encode(key.sign(f"{stamp}|{body}".encode()).signature).decode()
    headers = {"Telnyx-Signature-Ed25519": signature, "Telnyx-Timestamp": stamp, "Content-Type": kind}
    try:
        checks.verify_webhook_signature(body, headers, base64.b64encode(bytes(key.verify_key)).decode())
        assert late <= checks.TIMESTAMP_TOLERANCE_SECONDS
    except checks.WebhookVerificationError as error:
        assert late and "too old" in str(error), error
    return {"headers": list(map(list, headers.items())), "body": body}


def vonage(command):
    """`late`: it was signed so many seconds ago. `claims`: what is claimed beside what Vonage claims."""
    import jwt
    from vonage_jwt import VonageVerifyJwtError, verify_signature

    body, kind = (command["json"], JSON) if "json" in command else (urlencode(command["form"]), FORM)
    claims = {
        "iss": "Vonage",
        "iat": int(time.time()) - command.get("late", 0),
        "jti": str(uuid.uuid4()),
        "api_key": "abcd1234",
        "application_id": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
    }
    if command["method"] == "GET":
        body, kind = "", None
    else:
        claims["payload_hash"] = hashlib.sha256(body.encode()).hexdigest()
    claims.update(command.get("claims", {}))
    token = jwt.encode(claims, command["secret"], algorithm="HS256")
    try:
        assert verify_signature(token, command["secret"])
    except VonageVerifyJwtError as error:
        assert command.get("late", 0) < 0 and "not yet valid" in str(error), error
    headers = [["Authorization", "Bearer " + token]] + ([["Content-Type", kind]] if kind else [])
    return {"headers": headers, "body": body}


def mango(command):
    """`secret`: the salt. `key`: the PBX's code. `to`: it is really posted there by the library, and what came of it is answered."""
    import mangoapi

    seen, post = {}, mangoapi.requests.post

    def looked_at(url, data, headers):
        prepared = mangoapi.requests.Request("POST", url, data=data, headers=headers).prepare()
        seen["headers"], seen["body"] = [["Content-Type", prepared.headers["Content-Type"]]], prepared.body
        answer = post(url, data=data, headers=headers) if "to" in command else mangoapi.requests.Response()
        seen["status"], seen["answer"] = answer.status_code, answer.text
        return answer

    mangoapi.requests.post = looked_at
    try:
        # The library says what it does; and it expects JSON, which the gateway has no reason to answer.
        with redirect_stdout(io.StringIO()):
            api = mangoapi.MangoAPI(command.get("to", "http://nowhere.invalid/"), command["key"], command["secret"])
            api.request(json.loads(command["json"]), command["path"])
    except ValueError:
        pass
    finally:
        mangoapi.requests.post = post
    return seen


# What the vendor's class for PHP makes with the secret "testsecret".
ZADARMA = [
    (["+79161234567", "74951234567", "2026-11-21 10:00:00"], "Zjk1Mjk4ZTIyOTc0NGNiM2RhNTkxNTMyZWU3YWU1MWY0M2FmZWU0YQ=="),
    (["+79161234567", "100", "2026-11-21 10:00:00"], "ZGY3ZmI1NWY1ODlhYjkxYTI3NDdhYmY4YWY0NjNkODFmNDM5YmY4MA=="),
    (["100", "79161234567", "2026-11-21 10:05:00"], "ZDk3M2YwYjBhYTI2MjkwYjY2OGFkODY1MjMyYTgxOWVjNGMwMDg4Nw=="),
    (
        ["in_ae6b03b3b0765d127ec0b739209346bbc4f0d52d", "1-1458313316.343456-100-2016-01-11-100155"],
        "NWRmOTVlN2U4MTY4OTZlZDk3NmJhMjQ1MzBhOWJkYzEzY2MzZmE1MA==",
    ),
]
ZADARMA_SIGNS = {
    "NOTIFY_ANSWER": ["caller_id", "destination", "call_start"],
    "NOTIFY_OUT_START": ["internal", "destination", "call_start"],
    "NOTIFY_OUT_END": ["internal", "destination", "call_start"],
    "NOTIFY_RECORD": ["pbx_call_id", "call_id_with_rec"],
    "SMS": ["result"],
}


def zadarma_signature(secret, values):
    digits = hmac.new(secret.encode(), "".join(values).encode(), hashlib.sha1).hexdigest()
    return base64.b64encode(digits.encode()).decode()


def zadarma(command):
    """By what the vendor's class does, as far as its frozen examples tell. `multipart`: as a PHP client posts an array."""
    for values, expected in ZADARMA:
        assert zadarma_signature("testsecret", values) == expected, values
    form = command["form"]
    fields = gathered(form)
    names = ZADARMA_SIGNS.get(fields["event"], ["caller_id", "called_did", "call_start"])
    signature = zadarma_signature(command["secret"], [fields.get(name, "") for name in names])
    body, kind = urlencode(form), FORM
    if command.get("multipart"):
        line = "------------------------d74496d66958873e"
        parts = [f'--{line}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in form]
        body, kind = "".join(parts) + f"--{line}--\r\n", "multipart/form-data; boundary=" + line
    return {"headers": [["Signature", signature], ["Content-Type", kind]], "body": body}


def basic(command):
    """A PBX of one's own, which has a name and a password: `name:password`."""
    made = plain(command)
    made["headers"].append(["Authorization", "Basic " + base64.b64encode(command["secret"].encode()).decode()])
    return made


def callrail(command):
    made = plain(command)
    signature = hmac.new(command["secret"].encode(), made["body"].encode(), hashlib.sha1).digest()
    made["headers"].append(["Signature", base64.b64encode(signature).decode()])
    return made


def voximplant(command):
    """As the scenario that is handed out signs."""
    made = plain(command)
    signature = hmac.new(command["secret"].encode(), made["body"].encode(), hashlib.sha256).hexdigest()
    made["headers"].append(["X-Leadgate-Signature", "sha256=" + signature])
    return made


def plain(command):
    """Whoever signs nothing."""
    body, kind = (command["json"], JSON) if "json" in command else (urlencode(command["form"]), FORM)
    return {"headers": [["Content-Type", kind]] if command["method"] == "POST" else [], "body": body}


PROVIDERS = {made.__name__: made for made in (twilio, plivo, telnyx, vonage, mango, zadarma, basic, callrail, voximplant, plain)}


def answered(line):
    try:
        command = json.loads(line)
        command["form"] = [tuple(pair) for pair in command.get("form", [])]
        return PROVIDERS[command["provider"]](command)
    except Exception as error:  # Whoever asks tells people.
        return {"error": f"{type(error).__name__}: {error}"}


def main():
    for line in sys.stdin:
        print(json.dumps(answered(line)), flush=True)


if __name__ == "__main__":
    main()
