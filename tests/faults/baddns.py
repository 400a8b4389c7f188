#!/usr/bin/env python3
"""baddns.py - a name server that lies, for tests.

usage: baddns.py PORTFILE

Listens on 127.0.0.1, UDP and TCP on one port, and writes the port into PORTFILE when it is ready.
What it does is said by the first label of the name that is asked; the answer, where there is one
to give, is MX 10 mx.good.example, A 192.0.2.7 and no AAAA.

  good        the truth                       nodata      the name is there, without records
  nxdomain    NXDOMAIN                        servfail, refused, notimp, formerr   such a code
  wrongid     another id                      wrongname   another question
  wrongtype   another type in the question    wrongaddr   from another port
  late-first  wrong id first, then the truth  silent      nothing
  garbage     random bytes                    short       five bytes
  header      the header only                 query       our question back, QR not set
  loop        a compression pointer to itself cut         a record that ends too early
  counts      65535 answers announced         noedns      FORMERR to EDNS0, else the truth
  badvers     BADVERS in the OPT record       tc          truncated, the truth by TCP
  tctc        truncated by TCP too            tcslow      truncated, TCP never answers
  tcclose     truncated, TCP closes           tcdrip      truncated, TCP drips a byte each 30 ms
  tcwrong     truncated, wrong id by TCP      flood       wrong ids for ever, 1000 a second
  many        500 MX                          null        MX 0 .
  nullplus    MX 0 . and a good one           badname     MX with spaces and NULs in the name
  badnames    nothing but such                cname       CNAME to good.example, without it
  cnameself   CNAME to itself                 cnamechain-N   CNAME to cnamechain-(N-1)
  chain       CNAME and what it leads to      chainnx     CNAME, and NXDOMAIN
  lame        a referral                      wrongowner  MX of another name
  class       MX of class CHAOS               badaaaa     A good, AAAA never answered
  nxaaaa      A good, AAAA NXDOMAIN           failaaaa    A good, AAAA SERVFAIL
  upper       the truth in capitals           manya       300 addresses
  loopback    A 127.0.0.1 and ::1             drop-N      answers the (N+1)th question for the name
  v6          2001:db8::7 and 2001:db8::8, 192.0.2.7 and 192.0.2.8
"""
import os
import random
import socket
import struct
import sys
import threading
import time

A, CNAME, SOA, PTR, MX, AAAA, OPT = 1, 5, 6, 12, 15, 28, 41
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)
seen = {}


def name(text):
    out = b""
    for label in text.split("."):
        if label:
            raw = label.encode("latin-1")
            out += bytes([len(raw)]) + raw
    return out + b"\0"


def read_name(p, at):
    labels = []
    while p[at]:
        labels.append(p[at + 1:at + 1 + p[at]].decode("latin-1"))
        at += p[at] + 1
    return ".".join(labels), at + 1


def rr(owner, rtype, rdata, ttl=300, rclass=1):
    return name(owner) + struct.pack(">HHIH", rtype, rclass, ttl, len(rdata)) + rdata


def mx(owner, pref, host, **more):
    return rr(owner, MX, struct.pack(">H", pref) + name(host), **more)


class Query:
    def __init__(self, p):
        self.id = struct.unpack(">H", p[:2])[0]
        self.counts = struct.unpack(">HHHH", p[4:12])
        self.name, at = read_name(p, 12)
        self.type = struct.unpack(">H", p[at:at + 2])[0]
        self.question = p[12:at + 4]
        self.edns = self.counts[3] > 0
        self.raw = p

    def reply(self, answers=(), rcode=0, authority=(), extra=(), flags=0x8180, qid=None,
              question=None, ancount=None):
        q = self.question if question is None else question
        head = struct.pack(">HHHHHH", self.id if qid is None else qid, flags | rcode, 1,
                           len(answers) if ancount is None else ancount, len(authority), len(extra))
        return head + q + b"".join(answers) + b"".join(authority) + b"".join(extra)


def truth(q):
    if q.type == MX:
        return [mx(q.name, 10, "mx.good.example")]
    if q.type == A:
        return [rr(q.name, A, bytes([192, 0, 2, 7]))]
    return []


def addresses(q):
    if q.type == A:
        return [rr(q.name, A, bytes([192, 0, 2, n])) for n in (7, 8)]
    if q.type == AAAA:
        return [rr(q.name, AAAA, socket.inet_pton(socket.AF_INET6, "2001:db8::%d" % n))
                for n in (7, 8)]
    return []


def soa():
    rdata = name("ns.example") + name("root.example") + struct.pack(">IIIII", 1, 2, 3, 4, 77)
    return rr("example", SOA, rdata, ttl=99)


def cname(q, to):
    return rr(q.name, CNAME, name(to))


def answer(q, tcp):
    """A list of packets to send."""
    mode = q.name.split(".")[0].lower()
    good = q.reply(truth(q))
    other = (q.id + 1) & 0xffff
    tc = q.reply(flags=0x8380)
    word, _, number = mode.partition("-")

    def codes(code):
        return [q.reply(rcode=code)]

    def by_type(aaaa):
        return aaaa() if q.type == AAAA else [good]

    def dropped():
        seen[q.name, q.type] = seen.get((q.name, q.type), 0) + 1
        return [good] if seen[q.name, q.type] > int(number) else []

    def loopback():
        if q.type == AAAA:
            return [q.reply([rr(q.name, AAAA, b"\0" * 15 + b"\1")])]
        return [q.reply([rr(q.name, A, b"\x7f\0\0\1")] if q.type == A else [])]

    def chain():
        if int(number) > 0:
            return [q.reply([cname(q, "%s-%d.example" % (word, int(number) - 1))])]
        return [good]

    def renamed(to):
        saved, q.name = q.name, to
        records = truth(q)
        q.name = saved
        return records

    modes = {
        "nodata": lambda: [q.reply(authority=[soa()])],
        "nxdomain": lambda: codes(NXDOMAIN),
        "servfail": lambda: codes(SERVFAIL),
        "refused": lambda: codes(REFUSED),
        "notimp": lambda: codes(NOTIMP),
        "formerr": lambda: codes(FORMERR),
        "wrongid": lambda: [q.reply(truth(q), qid=other)],
        "wrongname": lambda: [q.reply(truth(q), question=name("evil.example") + q.question[-4:])],
        "wrongtype": lambda: [q.reply(truth(q), question=q.question[:-4] + b"\0\x10\0\1")],
        "late": lambda: [q.reply([mx(q.name, 1, "evil.example")], qid=other), good],
        "silent": lambda: [],
        "garbage": lambda: [bytes([q.id >> 8, q.id & 255]) + b"\x81\x80" +
                            bytes(random.randrange(256) for _ in range(200))],
        "short": lambda: [good[:5]],
        "header": lambda: [good[:4] + b"\0" * 8],
        "query": lambda: [q.raw],
        "loop": lambda: [q.reply([b"\xc0" + bytes([12 + len(q.question)]) +
                                  struct.pack(">HHIH", MX, 1, 1, 4) + b"\0\1\xc0\x0c"])],
        "cut": lambda: [good[:-5]],
        "counts": lambda: [q.reply(truth(q), ancount=65535)],
        "noedns": lambda: [q.reply(rcode=FORMERR)] if q.edns else [good],
        "badvers": lambda: [q.reply(extra=[b"\0" + struct.pack(">HHIH", OPT, 512, 1 << 24, 0)])],
        "tc": lambda: [good] if tcp else [tc],
        "tctc": lambda: [tc],
        "tcslow": lambda: [] if tcp else [tc],
        "tcclose": lambda: None if tcp else [tc],
        "tcdrip": lambda: [good] if tcp else [tc],
        "tcwrong": lambda: [q.reply(truth(q), qid=other)] if tcp else [tc],
        "flood": lambda: [q.reply(truth(q), qid=other)],
        "many": lambda: [q.reply([mx(q.name, n % 7, "mx%03d.example" % n) for n in range(500)])]
        if tcp else [tc],
        "null": lambda: [q.reply([mx(q.name, 0, "")])],
        "nullplus": lambda: [q.reply([mx(q.name, 0, ""), mx(q.name, 10, "mx.good.example")])],
        "badname": lambda: [q.reply([mx(q.name, 1, "a b.example"), mx(q.name, 2, "a\0b.example"),
                                     mx(q.name, 3, "a/b.example"), mx(q.name, 4, "good.example")])],
        "badnames": lambda: [q.reply([mx(q.name, 1, "a b.example"), mx(q.name, 2, "\xff.example")])],
        "cname": lambda: [q.reply([cname(q, "good.example")])],
        "cnameself": lambda: [q.reply([cname(q, q.name)])],
        "cnamechain": chain,
        "chain": lambda: [q.reply([cname(q, "end.example")] + renamed("end.example"))],
        "chainnx": lambda: [q.reply([cname(q, "end.example")], rcode=NXDOMAIN)],
        "lame": lambda: [q.reply(authority=[rr("example", 2, name("ns.example"))], flags=0x8000)],
        "wrongowner": lambda: [q.reply([mx("evil.example", 1, "evil.example")])],
        "class": lambda: [q.reply([mx(q.name, 1, "evil.example", rclass=3)])],
        "badaaaa": lambda: by_type(lambda: []),
        "nxaaaa": lambda: by_type(lambda: codes(NXDOMAIN)),
        "failaaaa": lambda: by_type(lambda: codes(SERVFAIL)),
        "upper": lambda: [q.reply([mx(q.name.upper(), 10, "MX.GOOD.EXAMPLE")]
                                  if q.type == MX else truth(q), question=q.question.upper())],
        "manya": lambda: [q.reply([rr(q.name, A, bytes([192, 0, 2, n % 256]))
                                   for n in range(1, 101)] if q.type == A else [])]
        if tcp else [tc],
        "loopback": loopback,
        "drop": dropped,
        "v6": lambda: [q.reply(addresses(q))],
    }
    return modes.get(word, lambda: [good])()


def udp(sock):
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    while True:
        p, peer = sock.recvfrom(4096)
        q = Query(p)
        if q.name.startswith("wrongaddr."):
            other.sendto(q.reply(truth(q)), peer)
            continue
        packets = answer(q, False)
        if q.name.startswith("flood."):
            threading.Thread(target=flood, args=(sock, packets[0], peer), daemon=True).start()
            continue
        for packet in packets:
            sock.sendto(packet, peer)


def flood(sock, packet, peer):
    for _ in range(5000):
        try:
            sock.sendto(packet, peer)
        except OSError:
            return
        time.sleep(0.001)


def exactly(conn, n):
    p = b""
    while len(p) < n:
        more = conn.recv(n - len(p))
        if not more:
            raise OSError("closed")
        p += more
    return p


def tcp_one(conn):
    try:
        q = Query(exactly(conn, struct.unpack(">H", exactly(conn, 2))[0]))
        packets = answer(q, True)
        if packets is None:
            conn.close()
            return
        for p in packets:
            p = struct.pack(">H", len(p)) + p
            if q.name.startswith("tcdrip."):
                for byte in p:
                    conn.sendall(bytes([byte]))
                    time.sleep(0.03)
            else:
                conn.sendall(p)
        if not packets:
            time.sleep(60)
    except OSError:
        pass
    finally:
        conn.close()


def one_port():
    """A UDP and a TCP socket on the same port: what is free for the one may be taken for the other."""
    while True:
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        u.bind(("127.0.0.1", 0))
        t = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            t.bind(u.getsockname())
            return u, t
        except OSError:
            u.close()
            t.close()


def main():
    u, t = one_port()
    t.listen(64)
    threading.Thread(target=udp, args=(u,), daemon=True).start()
    with open(sys.argv[1] + ".tmp", "w") as f:
        f.write("%d\n" % u.getsockname()[1])
    os.rename(sys.argv[1] + ".tmp", sys.argv[1])
    while True:
        conn, _ = t.accept()
        threading.Thread(target=tcp_one, args=(conn,), daemon=True).start()


main()
