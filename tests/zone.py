#!/usr/bin/env python3
"""zone.py - a small name server for tests.

usage: zone.py FILE PORTFILE

FILE has lines NAME TYPE VALUE, read again for each question: A, AAAA, MX 10 host, PTR, TXT "text" ...
(one record, in strings of 255 bytes; brackets may hold several lines), and for a name as a whole SERVFAIL or SILENT.  A name with no line
does not exist.  UDP alone, on 127.0.0.1; the port is written to PORTFILE.  Each question is printed.
"""
import os, re, socket, struct, sys

TYPES = {"A": 1, "CNAME": 5, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}


def name(text):
    return b"".join(bytes([len(l)]) + l for l in text.encode("latin-1").split(b".") if l) + b"\0"


def rdata(kind, value):
    if kind in ("A", "AAAA"):
        return socket.inet_pton(socket.AF_INET if kind == "A" else socket.AF_INET6, value)
    if kind == "MX":
        pref, host = value.split()
        return struct.pack(">H", int(pref)) + name(host)
    if kind == "TXT":
        raw = "".join(re.findall(r'"([^"]*)"', value)).encode()
        return b"".join(bytes([len(raw[i:i + 255])]) + raw[i:i + 255] for i in range(0, len(raw) or 1, 255))
    return name(value)


def records(path):
    """Lines, those in brackets joined, without comments."""
    text = re.sub(r"(?m)^;.*$", "", open(path).read())
    text = re.sub(r"\(([^()]*)\)", lambda m: m.group(1).replace("\n", " "), text)
    return [l for l in text.split("\n") if l.strip()]


def answer(packet, path):
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode("latin-1").lower())
        at += packet[at] + 1
    asked, kind = ".".join(labels), struct.unpack(">H", packet[at + 1:at + 3])[0]
    lines = [l.split(None, 2) for l in records(path)]
    mine = [l for l in lines if l[0].lower() == asked]
    print(asked, kind, flush=True)
    if any(l[1] == "SILENT" for l in mine):
        return None
    code = 2 if any(l[1] == "SERVFAIL" for l in mine) else 0
    below = any(l[0].lower().endswith("." + asked) for l in lines)
    if not mine and not below:
        code = 3
    found = [rdata(l[1], l[2].rstrip("\n")) for l in mine if TYPES.get(l[1]) == kind]
    head = packet[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(found), 0, 0)
    return head + packet[12:at + 5] + b"".join(
        b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 300, len(r)) + r for r in found)


s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
with open(sys.argv[2] + ".new", "w") as f:
    f.write(str(s.getsockname()[1]))
os.rename(sys.argv[2] + ".new", sys.argv[2])
while True:
    packet, peer = s.recvfrom(4096)
    reply = answer(packet, sys.argv[1])
    if reply:
        s.sendto(reply, peer)
