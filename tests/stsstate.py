"""A remembered MTA-STS policy, state/sts/DOMAIN, as another day has left it.

    stsstate.py later FILE SECONDS    fetched so much later (or, below 0, earlier)
    stsstate.py new FILE DOMAIN       one that lists the domain alone, fetched now under an id that is no record's
"""
import re, sys, time


def crc(b):
    """CRC-32C, RFC 3720 B.4: bit by bit."""
    c = 0xffffffff
    for x in b:
        c ^= x
        for _ in range(8):
            c = c >> 1 ^ (0x82f63b78 if c & 1 else 0)
    return c ^ 0xffffffff


def later(path, seconds):
    t = open(path, "rb").read()
    t = t[:t.rindex(b"end=")]
    return re.sub(rb"fetched=(\d+)", lambda m: b"fetched=%d" % (int(m.group(1)) + int(seconds)), t, count=1)


def new(path, domain):
    policy = "version: STSv1\nmode: enforce\nmax_age: 604800\nmx: %s\n" % domain
    return ("relaykit-sts 1\ndomain=%s\nfetched=%d\nid=0\ntried=0\ntried_id=\nresult=\nwhy=\npolicy=%d\n%s\n" % (
        domain, time.time(), len(policy), policy)).encode()


what, path, value = sys.argv[1:]
text = {"later": later, "new": new}[what](path, value)
open(path, "wb").write(text + b"end=%08x\n" % crc(text))
