# servetrust.py PART PORT DIR - clients that want to be believed more than they may, for 1414-serve-trust.t.
import base64, hashlib, hmac, json
from serve import *


def b64(x):
    return base64.b64encode(x).decode()


def scram(c, gs2=b"n,,", name=b"ann"):
    """ann logs in by SCRAM-SHA-256, RFC 5802 5; the code of the last reply."""
    c.send("AUTH SCRAM-SHA-256 " + b64(gs2 + b"n=" + name + b",r=abcdefghijkl"))
    r = c.reply()
    if not r.startswith(b"334"):
        return r[:3].decode()
    first = base64.b64decode(r[4:])
    a = dict(x.split(b"=", 1) for x in first.split(b","))
    salted = hashlib.pbkdf2_hmac("sha256", b"p w", base64.b64decode(a[b"s"]), int(a[b"i"]))
    key = hmac.digest(salted, b"Client Key", "sha256")
    final = b"c=" + base64.b64encode(gs2) + b",r=" + a[b"r"]
    told = b"n=" + name + b",r=abcdefghijkl," + first + b"," + final
    sign = hmac.digest(hashlib.sha256(key).digest(), told, "sha256")
    c.send(b64(final + b",p=" + b64(bytes(x ^ y for x, y in zip(key, sign))).encode()))
    r = c.reply()
    if r.startswith(b"334"):
        c.send("")
        r = c.reply()
    return r[:3].decode()


def auth():
    # RFC 3207 4.2.  Somebody in between logs in as himself, then lets the client through to TLS: its
    # mail would go out in his name.
    c = Client()
    ok(c.cmd("EHLO me") + scram(c) + c.cmd("MAIL FROM:<ann@x.example>") == "250235250", "SCRAM in clear")
    c.starttls()
    ok(c.cmd("EHLO me", "MAIL FROM:<ann@x.example>") == "250 530", "who logged in before TLS has not")
    ok(scram(c) == "235", "and may do so again")
    ok(c.cmd("AUTH PLAIN AGFubgBwIHc=") == "503", "but once only")
    ok(c.cmd("RSET", "EHLO me", "MAIL FROM:<ann@x.example>") == "250 250 250", "RSET and EHLO do not log out")
    ok(c.cmd("AUTH PLAIN AGFubgBwIHc=") == "503", "not in a transaction")
    # RFC 4954 4: lines of the exchange.
    c = Client()
    c.cmd("EHLO me")
    c.starttls()
    ok(c.cmd("EHLO me", "AUTH PLAIN", "*") == "250 334 501", "cancelled")
    ok(c.cmd("AUTH PLAIN", "a" * 13000) == "334 500", "a line too long ends the exchange")
    ok(c.cmd("NOOP", "AUTH LOGIN", "YW5u", "*") == "250 334 334 501", "LOGIN cancelled in the middle")
    ok(c.cmd("AUTH PLAIN A", "AUTH PLAIN *") == "501 501", "no base64; a star that is no line of its own")
    ok(c.cmd("MAIL FROM:<ann@x.example>") == "530", "nobody is in")


def no_plus():
    # RFC 5802 6: "y" is "I could, but you did not offer"; a lie only where PLUS was offered.
    c = Client()
    c.cmd("EHLO me")
    c.starttls()
    c.cmd("EHLO me")
    ok(scram(c, b"y,,") == "235", "y where no PLUS is offered")


def plus():
    c = Client()
    c.cmd("EHLO me")
    c.starttls()
    c.cmd("EHLO me")
    ok(scram(c, b"y,,") == "535", "y where PLUS is offered: somebody in between has taken it away")
    ok(scram(c, b"n,,") == "235", "n: a client that cannot")


def logins():
    """Events of logins, newest last: user and code."""
    out = []
    for f in sorted(os.listdir(d + "/q/log")):
        for line in open(d + "/q/log/" + f):
            e = json.loads(line)
            if e["type"] == "login":
                out.append((e.get("user"), e["response"]["code"]))
    return out


def names():
    # RFC 4013: all of these are ann to the users file, so they are one to her limit.
    got = []
    for name in ("ann", "a\u00adnn", "\uff41nn", "ann"):
        c = Client()
        got.append(c.cmd("EHLO me") + scram(c, name=name.encode()) + c.cmd(*MAIL))
        c.close()
    ok(got == ["250235250 250"] * 2 + ["250235250 450"] * 2, "a name in another spelling has no limit of its own", got)
    ok(logins() == [("ann", 235)] * 4, "and events have the name of the file", logins())
    c = Client()
    got = c.cmd("XCLIENT ADDR=192.0.2.1 LOGIN=a+C2+ADnn", "EHLO me", *MAIL)
    ok(got == "220 250 250 450", "nor has one of which a front end tells", got)


def connections():
    got = []
    for _ in range(4):
        c = Client()
        got.append(c.cmd("EHLO me") + scram(c) + c.cmd(*MAIL, "RCPT TO:<c@y.example>"))
        c.close()
    ok(got == ["250235250 250 250"] * 2 + ["250235250 421 "] * 2, "connections a minute, of a user", got)


def token():
    # The refusal is told by a challenge: what the client says to it, if anything, changes nothing.
    for n, last in enumerate((["AQ=="], ["*"], [])):
        c = Client()
        c.cmd("EHLO me")
        c.starttls()
        start = time.monotonic()
        got = c.cmd("EHLO me", "AUTH OAUTHBEARER " + b64(b"n,,\x01auth=Bearer bad\x01\x01"))
        took = time.monotonic() - start
        ok(got == "250 334" and took > 2 ** n * 0.9, "a token that is none: failure %d costs time" % (n + 1), (got, took))
        start = time.monotonic()
        got = c.cmd(*last)
        ok(got == ["535", "501", ""][n] and time.monotonic() - start < 0.9, "but once: %s" % last, got)
        c.close()
        ok(logins() == [(None, 535)] * (n + 1), "and each is an event", logins())
    c = Client()
    c.cmd("EHLO me")
    c.starttls()
    ok(c.cmd("EHLO me", "AUTH OAUTHBEARER " + b64(b"n,,\x01auth=Bearer good\x01\x01")) == "250 235", "a good one")


def disabled():
    good = "AUTH OAUTHBEARER " + b64(b"n,,\x01auth=Bearer good\x01\x01")
    for login, what in (("AUTH PLAIN AGFubgBwIHc=", "535"), (good, "334 535")):
        c = Client()
        c.cmd("EHLO me")
        c.starttls()
        ok(c.cmd("EHLO me", login, *["AQ=="][:what.count(" ")]) == "250 " + what, "who is disabled is not let in: " + login)
        c.close()


def lines():
    # What is too long to be looked at must not hide another's idea of where a line ends.
    for bad, what in ((b"x\n", "bare LF"), (b"x\0\r\n", "NUL"), (b"x\ry\r\n", "bare CR"), (b"x\r\r\n", "CR CR LF")):
        for n in (13000, 100000):
            c = Client()
            c.cmd("EHLO me")
            c.s.sendall(b"NOOP " + b"x" * n + bad + b"NOOP\r\n")
            r = c.reply()
            ok(r.startswith(b"521") and c.reply() == b"", "%s in a line of %d bytes" % (what, n), r)
            c.close()
    c = Client()
    c.cmd("EHLO me")
    c.s.sendall(b"NOOP " + b"x" * 13000 + b"\r")
    c.s.sendall(b"\nNOOP\r\n")
    ok(c.reply()[:3] + c.reply()[:3] == b"500250", "too long alone is a mistake")


def both():
    c = Client(b"PROXY TCP4 192.0.2.9 127.0.0.1 1 25\r\n", greeted=False)
    ok(c.reply()[:3] == b"220", "PROXY")
    ok(c.cmd("XCLIENT LOGIN=root", "EHLO me", *MAIL) == "500 250 530 503", "its client says nothing by XCLIENT")
    c = Client(b"PROXY UNKNOWN\r\n", greeted=False)
    c.reply()
    ok(c.cmd("XCLIENT LOGIN=root", "EHLO me", *MAIL) == "500 250 530 503", "nor one that is not known")
    c = Client(b"PROXY TCP4 127.0.0.1 127.0.0.1 1 25\r\n", greeted=False)
    c.reply()
    ok(c.cmd("XCLIENT ADDR=192.0.2.1 LOGIN=ann", "EHLO me", *MAIL) == "220 250 250 250", "a front end does")


def loginx():
    c = Client()
    ok(c.cmd("EHLO me") + scram(c) == "250235", "a front end logs in")
    ok(c.cmd("XCLIENT ADDR=192.0.2.1", "EHLO me", *MAIL) == "220 250 530 503", "its client has not")


def external():
    # RFC 4422 A: who a front end is says nothing about who speaks through it.
    for words, what in ((["EHLO me"], "250 235"), (["XCLIENT ADDR=192.0.2.1", "EHLO me"], "220 250 504"),
                        (["XCLIENT NAME=x", "EHLO me"], "220 250 235")):
        c = Client()
        c.cmd("EHLO me", "STARTTLS")
        x = ssl.create_default_context()
        x.check_hostname = False
        x.verify_mode = ssl.CERT_NONE
        x.load_cert_chain(d + "/ann.pem", d + "/ann.key")
        c.s = x.wrap_socket(c.s)
        ok(c.cmd(*words, "AUTH EXTERNAL =") == what, "by certificate: %s" % " ".join(words))
        c.close()


def proxytls():
    # A PROXY header and the first words of TLS in one packet, however it is cut.
    for header in (b"PROXY TCP4 192.0.2.1 127.0.0.1 1 25\r\n", b"PROXY UNKNOWN\r\n",
                   v2(0x11, bytes([192, 0, 2, 1, 127, 0, 0, 1]) + b"\0\1\0\x19"), v2(0, b"", 0x20)):
        for cut in (0, 1, 14, 17):
            c = Client(greeted=False)
            x = ssl.create_default_context()
            x.check_hostname = False
            x.verify_mode = ssl.CERT_NONE
            a, b = ssl.MemoryBIO(), ssl.MemoryBIO()
            t = x.wrap_bio(a, b)
            try:
                t.do_handshake()
            except ssl.SSLWantReadError:
                pass
            first = header + b.read()
            c.s.sendall(first[:cut])
            time.sleep(0.01)
            c.s.sendall(first[cut:])
            while True:
                try:
                    t.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    c.s.sendall(b.read())
                    a.write(c.s.recv(65536))
            c.s.sendall(b.read())
            while True:
                try:
                    r = t.read()
                    break
                except ssl.SSLWantReadError:
                    a.write(c.s.recv(65536))
            ok(r.startswith(b"220"), "TLS behind %r, cut at %d" % (header[:16], cut), r)
            c.close()


def eightbit():
    for text, code in ((b"Subject: \xe4\r\n", "554"), (b"Subject: \xe4", "554"), (b"Subject: \xe4\r\n\r\nx", "554"),
                       (b"Subject: a\r\n\r\n\xe4", "554"), (b"Subject: a\r\n", "250")):
        c = Client()
        ok(c.cmd("EHLO me", *MAIL) == "250 250 250", "MAIL without BODY")
        c.s.sendall(b"BDAT %d LAST\r\n" % len(text) + text)
        ok(c.reply()[:3].decode() == code, "%r" % text)
        c.close()


def stop():
    # Those whose connections the kernel has made while we were busy are not turned away at the end.
    pid = int(sys.argv[4])
    os.kill(pid, signal.SIGSTOP)
    v = [Client(greeted=False) for _ in range(5)]
    os.kill(pid, signal.SIGTERM)
    os.kill(pid, signal.SIGCONT)
    ok([c.reply()[:3] for c in v] == [b"220"] * 5, "who waits when it is stopped comes in")
    ok([c.cmd("EHLO me", *MAIL, "DATA", ".", "QUIT") for c in v] == ["250 250 250 354 250 221"] * 5, "and is served")


if __name__ == "__main__":
    globals()[part]()
