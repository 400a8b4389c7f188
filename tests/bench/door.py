# door.py hold|shake|login PORT N - clients of smtp-serve for scripts/bench.
#
# hold: N connections that have said EHLO and say no more, until standard input ends; prints "there" then.
# shake, login: N times, one after the other, a TLS handshake alone, and one with EHLO, SCRAM-SHA-256 (RFC 5802)
# of ann's with "pencil", and QUIT; prints milliseconds of each.  The password is salted once, as 5802 5 has
# clients do: what that costs is theirs.
import base64, hashlib, hmac, socket, ssl, sys, time

how, port, n = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
tls = ssl.create_default_context()
tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
salted = {}


def reply(f):
    while True:
        line = f.readline()
        if line[3:4] != b"-":
            return line


def say(f, line):
    f.write(line + b"\r\n")
    f.flush()
    return reply(f)


def scram(f):
    r = say(f, b"AUTH SCRAM-SHA-256 " + base64.b64encode(b"n,,n=ann,r=nonce"))
    first = base64.b64decode(r[4:])
    a = dict(x.split(b"=", 1) for x in first.split(b","))
    if a[b"s"] not in salted:
        salted[a[b"s"]] = hashlib.pbkdf2_hmac("sha256", b"pencil", base64.b64decode(a[b"s"]), int(a[b"i"]))
    key = hmac.digest(salted[a[b"s"]], b"Client Key", "sha256")
    final = b"c=biws,r=" + a[b"r"]
    sign = hmac.digest(hashlib.sha256(key).digest(), b"n=ann,r=nonce," + first + b"," + final, "sha256")
    proof = base64.b64encode(bytes(x ^ y for x, y in zip(key, sign)))
    r = say(f, base64.b64encode(final + b",p=" + proof))
    return say(f, b"") if r.startswith(b"334") else r


def one(login):
    s = tls.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=60))
    if login:
        f = s.makefile("rwb")
        reply(f)
        say(f, b"EHLO me")
        r = scram(f)
        if not r.startswith(b"235"):
            sys.exit("door.py: " + r.decode())
        say(f, b"QUIT")
    s.close()


if how == "hold":
    held = []
    for i in range(n):
        f = socket.create_connection(("127.0.0.1", port), timeout=60).makefile("rwb")
        reply(f)
        say(f, b"EHLO me")
        held.append(f)
    print("there", flush=True)
    sys.stdin.read()
else:
    one(how == "login")
    start = time.monotonic()
    for i in range(n):
        one(how == "login")
    print("%.2f" % ((time.monotonic() - start) * 1000 / n))
