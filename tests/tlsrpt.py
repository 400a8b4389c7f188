"""A TLS report against RFC 8460: what 4.4 names, of the types it gives, as in the example of appendix B.

    tlsrpt.py < report      prints "good", or each thing that is wrong
"""
import ipaddress, json, re, sys

RESULTS = {"starttls-not-supported", "certificate-host-mismatch", "certificate-expired", "certificate-not-trusted",
           "validation-failure", "tlsa-invalid", "dnssec-invalid", "dane-required", "sts-policy-fetch-error",
           "sts-policy-invalid", "sts-webpki-invalid"}
bad = []


def want(good, what):
    if not good:
        bad.append(what)


def text(d, key, where):
    want(isinstance(d.get(key), str) and d[key] != "", "%s.%s is no text" % (where, key))
    return d.get(key) or ""


def count(d, key, where):
    want(type(d.get(key)) is int and d[key] >= 0, "%s.%s is no count" % (where, key))
    return d.get(key) or 0


def only(d, keys, where):
    want(set(d) <= set(keys), "%s has %s" % (where, set(d) - set(keys)))


r = json.load(sys.stdin)
only(r, ["organization-name", "date-range", "contact-info", "report-id", "policies"], "report")
text(r, "organization-name", "report")
text(r, "report-id", "report")
want(re.fullmatch(r"[^@\s]+@[^@\s]+", text(r, "contact-info", "report")), "contact-info is no addr-spec")
for k in ("start-datetime", "end-datetime"):
    # RFC 3339 5.6
    want(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text(r["date-range"], k, "date-range")), k)
want(r["date-range"]["start-datetime"].endswith("T00:00:00Z"), "4.1: not a full day")
want(isinstance(r.get("policies"), list) and r["policies"], "4: policies is no array")
for p in r["policies"]:
    only(p, ["policy", "summary", "failure-details"], "policies[]")
    q = p["policy"]
    only(q, ["policy-type", "policy-string", "policy-domain", "mx-host"], "policy")
    want(q.get("policy-type") in ("tlsa", "sts", "no-policy-found"), "policy-type")
    text(q, "policy-domain", "policy")
    for k in ("policy-string", "mx-host"):
        want(k not in q or (isinstance(q[k], list) and all(isinstance(s, str) for s in q[k])), "%s is no array" % k)
    want(q["policy-type"] == "sts" or "mx-host" not in q, "mx-host of another type")
    only(p["summary"], ["total-successful-session-count", "total-failure-session-count"], "summary")
    count(p["summary"], "total-successful-session-count", "summary")
    failures = count(p["summary"], "total-failure-session-count", "summary")
    details = p.get("failure-details", [])
    for d in details:
        only(d, ["result-type", "sending-mta-ip", "receiving-mx-hostname", "receiving-mx-helo", "receiving-ip",
                 "failed-session-count", "additional-information", "failure-reason-code"], "failure-details[]")
        want(d.get("result-type") in RESULTS, "result-type")
        count(d, "failed-session-count", "failure-details[]")
        for k in ("sending-mta-ip", "receiving-ip"):
            if k in d:
                try:
                    ipaddress.ip_address(d[k])
                except ValueError:
                    bad.append(k)
    want(sum(d["failed-session-count"] for d in details) == failures, "failures do not add up")
print("\n".join(bad) or "good")
