"""The check of tests/openapi.sh. Arguments: Twilio's description of its API, and the exchanges, a line of JSON each."""

import collections, json, sys
from urllib.parse import urlencode

from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse

HOST = "https://api.twilio.com"
MESSAGES = "/2010-04-01/Accounts/{AccountSid}/Messages.json"
MESSAGE = "/2010-04-01/Accounts/{AccountSid}/Messages/{Sid}.json"


def description(path):
    """Only the two paths we use, so that it is read in a moment, and without what the description itself gets wrong: the
    addresses in answers are relative, and the senders of WhatsApp are no phone numbers."""
    with open(path) as file:
        whole = json.load(file)
    whole["paths"] = {path: whole["paths"][path] for path in (MESSAGES, MESSAGE)}

    def mend(node):
        if isinstance(node, dict):
            if node.get("format") in ("uri", "phone-number"):
                del node["format"]
            node.pop("examples", None)
            node.pop("example", None)
        for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            mend(child)

    mend(whole)
    # Twilio says these conditions only in words of its own ("x-twilio": "conditional").
    form = whole["paths"][MESSAGES]["post"]["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
    form["allOf"] = [
        {"anyOf": [{"required": ["From"]}, {"required": ["MessagingServiceSid"]}]},
        {"anyOf": [{"required": ["Body"]}, {"required": ["MediaUrl"]}, {"required": ["ContentSid"]}]},
    ]
    return OpenAPI.from_dict(whole), set(form["properties"])


def faults(api, fields, exchange):
    form = [tuple(pair) for pair in exchange["form"]]
    for name in {name for name, _ in form} - fields:
        yield f"no field of Twilio's: {name}"
    query = dict(exchange["query"])
    known = {"To", "From", "PageSize", "Page", "PageToken"}
    for name in set(query) - known:
        yield f"no filter of Twilio's: {name}"
    request = MockRequest(
        HOST, exchange["method"].lower(), exchange["path"], args=query, data=urlencode(form).encode() if form else None,
        headers={"Authorization": "Basic QUM6eA=="}, content_type="application/x-www-form-urlencoded")
    response = MockResponse(exchange["body"].encode(), exchange["status"], content_type="application/json")
    for check in (lambda: api.validate_request(request), lambda: api.validate_response(request, response)):
        try:
            check()
        except OpenAPIError as error:
            causes = getattr(error.__cause__, "schema_errors", None)
            yield "; ".join(one.message for one in causes) if causes else f"{error!r}, {error.__cause__!r}"


api, fields = description(sys.argv[1])
counts, wrong = collections.Counter(), collections.Counter()
with open(sys.argv[2]) as file:
    for exchange in map(json.loads, file):
        counts[exchange["method"], exchange["path"].endswith("/Messages.json")] += 1
        wrong.update(faults(api, fields, exchange))
for fault, count in wrong.most_common(20):
    print(f"{count} x {fault[:500]}")
print(f"{sum(counts.values())} exchanges ({counts['POST', True]} creates, {counts['GET', True]} lists, {counts['GET', False]} fetches)")
sys.exit(bool(wrong) or len(counts) < 3)
