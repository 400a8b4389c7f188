# serve.py PART PORT DIR - a scripted SMTP client against smtp-serve, for 1410-serve.t.
import os, re, select, signal, socket, ssl, struct, subprocess, sys, time

part, port, d = sys.argv[1], int(sys.argv[2]), sys.argv[3]


def ok(good, what, got=""):
    print(("ok " if good else "not ok ") + what)
    if not good:
        print("got", repr(got))
    sys.stdout.flush()


class Client:
    def __init__(self, first=b"", greeted=True):
        self.s = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.buf = b""
        if first:
            self.s.sendall(first)
        if greeted:
            self.greeting = self.reply()

    def reply(self):
        """One reply, its last line without CRLF; b"" at the end."""
        while True:
            i = self.buf.find(b"\r\n")
            if i < 0:
                try:
                    more = self.s.recv(65536)
                except (ConnectionError, ssl.SSLError):
                    more = b""
                if not more:
                    return b""
                self.buf += more
                continue
            line, self.buf = self.buf[:i], self.buf[i + 2:]
            if line[3:4] != b"-":
                return line

    def send(self, *lines):
        self.s.sendall(b"".join(l.encode("latin-1") + b"\r\n" for l in lines))

    def cmd(self, *lines):
        """Together; the code of each reply."""
        self.send(*lines)
        return " ".join(self.reply()[:3].decode() for _ in lines)

    def starttls(self, name=None):
        self.cmd("STARTTLS")
        self.tls(name)

    def tls(self, name=None):
        c = ssl.create_default_context()
        c.check_hostname = False
        c.verify_mode = ssl.CERT_NONE
        self.s = c.wrap_socket(self.s, server_hostname=name)

    def subject(self):
        der = self.s.getpeercert(True)
        p = subprocess.run(["openssl", "x509", "-inform", "der", "-noout", "-subject"], input=der,
                           capture_output=True)
        return p.stdout.decode()

    def close(self):
        self.s.close()


def queued():
    return len(os.listdir(d + "/q/new"))


def empty():
    for f in os.listdir(d + "/q/new"):
        os.unlink(d + "/q/new/" + f)


MAIL = ("MAIL FROM:<a@x.example>", "RCPT TO:<b@y.example>")


def plain():
    c = Client()
    ok(c.greeting == b"220 h.example ESMTP relaykit", "greeting", c.greeting)
    ok(c.cmd("EHLO me", *MAIL, "DATA") == "250 250 250 354", "pipelined")
    n = queued()
    ok(c.cmd("Subject: x\r\n\r\nhello\r\n.") == "250", "queued")
    ok(queued() == n + 1, "is there when 250 is heard")
    f = open(d + "/q/new/" + sorted(os.listdir(d + "/q/new"))[-1], "rb").read()
    ok(b"from me ([127.0.0.1])\r\n\tby h.example (relaykit) with ESMTP\r\n" in f, "Received tells the address", f)
    got = c.cmd("RSET", *MAIL, "BDAT 6 LAST\r\na\r\nb", *MAIL, "BDAT 3\r\na\r\n"[:-2], "BDAT 0 LAST", "QUIT")
    ok(got.startswith("250 250 250 250 250 250 250"), "BDAT and others in one write", got)
    ok(c.reply() == b"", "closed after QUIT")
    empty()
    # Input too early.
    c = Client(b"EHLO me\r\n", greeted=False)
    r = c.reply()
    ok(r.startswith(b"554 5.5.1") and c.reply() == b"", "who speaks first is turned away", r)
    c = Client()
    ok(c.cmd("EHLO me", "XCLIENT ADDR=127.0.0.9") == "250 500", "no XCLIENT where it is not allowed")
    # STARTTLS and what follows it in clear.
    c = Client()
    c.cmd("EHLO me")
    c.send("STARTTLS", "MAIL FROM:<evil@x.example>")
    r = c.reply()
    ok(r.startswith(b"554 5.5.1") and c.reply() == b"", "input behind STARTTLS", r)
    c = Client()
    c.cmd("EHLO me", *MAIL)
    c.starttls()
    ok(c.cmd(*MAIL) == "503 503", "what was said before TLS is forgotten")
    ok(c.cmd("EHLO me", *MAIL, "DATA", ".") == "250 250 250 354 250", "a message over TLS")
    f = open(d + "/q/new/" + os.listdir(d + "/q/new")[0], "rb").read()
    ok(re.search(rb"with ESMTPS\r\n\ttls TLS_[A-Z0-9_]+\r\n", f) is not None, "Received tells TLS", f)
    ok(c.cmd("STARTTLS") == "503", "no TLS in TLS")
    ok(c.cmd("MAIL FROM:<a@x.example> REQUIRETLS") == "250", "REQUIRETLS over TLS")
    c.close()
    for name, want in (("one.example", "one.example"), ("two.example", "two.example"), (None, "one.example"),
                       ("three.example", "one.example")):
        c = Client()
        c.cmd("EHLO me")
        c.starttls(name)
        ok(want in c.subject(), "certificate for %s" % name, c.subject())
        c.close()
    c = Client()
    c.cmd("EHLO me", *MAIL, "DATA")
    c.s.sendall(b"a\nb\n.\n")
    r = c.reply()
    ok(r.startswith(b"554 5.6.0") and c.reply() == b"", "who thinks that LF.LF is an end hears so", r)
    empty()
    c = Client()
    c.cmd("EHLO me", *MAIL, "DATA")
    c.s.sendall(b"a\r\n")
    c.close()
    c = Client()
    c.cmd("EHLO me", *MAIL)
    c.s.sendall(b"BDAT 10\r\nabc")
    c.close()
    time.sleep(0.3)
    ok(queued() == 0, "who leaves early has sent nothing", queued())
    # Who is in the middle of a chunk hears why he is not wanted, and not that the connection is broken.
    for secure in False, True:
        c = Client()
        c.cmd("EHLO me")
        if secure:
            c.starttls()
            c.cmd("EHLO me")
        c.cmd(*MAIL)
        c.send("BDAT 99999999999 LAST")
        try:
            for _ in range(20):
                c.s.sendall(bytes(100000))
                time.sleep(0.01)
            r = c.reply()
        except OSError as e:
            r = repr(e).encode()
        ok(r.startswith(b"552 5.3.4"), "a chunk that is far too large%s" % (", over TLS" if secure else ""), r)
        c.close()
    # Three at one time; the fourth waits.
    v = [Client() for _ in range(3)]
    c = Client(greeted=False)
    ok(not select.select([c.s], [], [], 0.4)[0], "the fourth client waits")
    v[0].cmd("QUIT")
    ok(c.reply().startswith(b"220"), "and comes in when another has left")
    for x in v + [c]:
        x.close()


def command():
    # 1 s for a command, however slowly it comes; the clock begins before the door's does.
    start = time.monotonic()
    c = Client()
    r = c.reply()
    t = time.monotonic() - start
    ok(r.startswith(b"421 4.4.2") and 0.8 < t < 15, "a silent client", (r, t))
    start = time.monotonic()
    c = Client()
    try:
        for b in b"NOOP".ljust(100):
            c.s.sendall(bytes([b]))
            if select.select([c.s], [], [], 0.2)[0]:
                break
    except OSError:
        pass
    t = time.monotonic() - start
    ok(0.8 < t < 15 and c.reply().startswith(b"421"), "a byte now and then", t)


def session():
    start = time.monotonic()
    c = Client()
    while c.cmd("NOOP") == "250":
        time.sleep(0.1)
    t = time.monotonic() - start
    ok(2 < t < 15, "its time is over, however busy", t)


def stays():
    # Another process takes our place; who is in stays.
    c = Client()
    p = subprocess.Popen(["smtp-serve", "-C", d + "/serve.conf", "--queue", d + "/q", "-v", "--listen",
                          "127.0.0.1:%d" % port], stderr=subprocess.PIPE)
    p.stderr.readline()
    ok(c.cmd("EHLO me", *MAIL) == "250 250 250", "a client of the first")
    p.terminate()
    ok(p.wait() == 0, "the second ends")
    ok(c.cmd("DATA", ".") == "354 250", "while it stays")


def tls():
    c = Client(greeted=False)
    c.tls("two.example")
    ok(c.reply().startswith(b"220") and "two.example" in c.subject(), "TLS from the start")
    ok(c.cmd("EHLO me", *MAIL, "DATA", "x\r\n.") == "250 250 250 354 250", "a message")
    ok(c.cmd("STARTTLS") == "503", "no STARTTLS in it")
    c = Client(b"EHLO me\r\n", greeted=False)
    ok(not c.reply().startswith(b"2"), "no answer in clear")


def strict():
    c = Client()
    ok(c.cmd("EHLO me", *MAIL, "RSET", "VRFY a", "NOOP") == "250 530 530 530 530 250", "nothing without TLS")
    c.starttls()
    ok(c.cmd("EHLO me", *MAIL) == "250 250 250", "all with it")


def v2(addr, body, command=0x21):
    return b"\r\n\r\n\0\r\nQUIT\n" + bytes([command, addr]) + struct.pack(">H", len(body)) + body


def proxy():
    def one(header, what, code, peer=None):
        empty()
        c = Client(header, greeted=False)
        r = c.reply()
        if code == "":
            ok(r == b"", what, r)
            return
        got = c.cmd("EHLO me", *MAIL)
        ok(got == code, what, got)
        if peer:
            c.cmd("DATA", ".")
            f = open(d + "/q/new/" + os.listdir(d + "/q/new")[0], "rb").read()
            ok(b"([%s])" % peer in f, "and is told in Received", f)
    one(b"PROXY TCP4 127.0.0.9 127.0.0.1 1 25\r\n", "version 1, of a listed network", "250 250 250", b"127.0.0.9")
    one(b"PROXY TCP4 192.0.2.1 127.0.0.1 1 25\r\n", "version 1, of another", "250 530 503")
    one(b"PROXY TCP6 ::1 ::1 1 25\r\n", "IPv6", "250 530 503")
    one(b"PROXY UNKNOWN\r\n", "UNKNOWN has no right of the front end's", "250 530 503")
    one(b"PROXY TCP4 127.0.0.9 ::1 1 25\r\n", "two families", "")
    one(b"PROXY TCP4 127.0.0.9 127.0.0.1 1 65536\r\n", "a port that is none", "")
    one(b"PROXY TCP4 127.0.0.9 127.0.0.1 1 25\n", "LF alone", "")
    one(b"EHLO me\r\n", "no header", "")
    one(b"PROXY TCP4 " + b"1" * 100 + b"\r\n", "too long", "")
    four = bytes([127, 0, 0, 9, 127, 0, 0, 1]) + b"\0\1\0\x19"
    one(v2(0x11, four), "version 2", "250 250 250", b"127.0.0.9")
    one(v2(0x11, four + b"\x04\0\3abc"), "with something behind it", "250 250 250")
    one(v2(0x11, bytes([192, 0, 2, 1]) + four[4:]), "of another", "250 530 503")
    one(v2(0x11, four, 0x20), "LOCAL", "250 530 503")
    one(v2(0x31, b"x" * 216), "a local socket's name", "250 530 503")
    one(v2(0x11, four[:8]), "too short", "")
    one(v2(0x11, four, 0x31), "version 3", "")
    one(v2(0x21, b"\0" * 10 + b"\xff\xff" + four[:4] + b"\0" * 20), "a mapped address is an IPv4 one",
        "250 250 250", b"127.0.0.9")
    c = Client(greeted=False)
    c.s.sendall(v2(0x11, four)[:9])
    time.sleep(0.1)
    c.s.sendall(v2(0x11, four)[9:])
    ok(c.reply().startswith(b"220"), "in two pieces")


def xclient():
    c = Client()
    ok(c.cmd("EHLO me", *MAIL) == "250 530 503", "a front end has no rights of its own")
    ok(c.cmd("XCLIENT ADDR=127.0.0.9 NAME=a.example LOGIN=[UNAVAILABLE]") == "220", "XCLIENT begins anew")
    ok(c.cmd(*MAIL) == "503 503", "with EHLO")
    empty()
    ok(c.cmd("EHLO me", *MAIL, "DATA", ".") == "250 250 250 354 250", "a listed network's client")
    f = open(d + "/q/new/" + os.listdir(d + "/q/new")[0], "rb").read()
    ok(b"([127.0.0.9])" in f, "and is told in Received", f)

    def one(args, what, code):
        c = Client()
        ok(c.cmd("XCLIENT " + args, "EHLO me", *MAIL) == "220 250 " + code, what)
        ok(c.cmd("RSET", "XCLIENT ADDR=127.0.0.9", "XCLIENT LOGIN=root") == "250 500 500", what + ", and says no more")
        c.close()
    one("ADDR=192.0.2.1", "another", "530 503")
    one("LOGIN=ann+2Bb", "who has logged in", "250 250")
    one("LOGIN=[UNAVAILABLE] ADDR=IPV6:::1", "has not", "530 503")
    one("ADDR=[UNAVAILABLE]", "an address not known", "530 503")
    c = Client()
    ok(c.cmd("XCLIENT NAME=a.example", "XCLIENT ADDR=127.0.0.9", "EHLO me", *MAIL) == "220 220 250 250 250",
       "in two parts")
    c = Client()
    ok(c.cmd("XCLIENT ADDR=127.0.0.1 LOGIN=ann", "XCLIENT ADDR=192.0.2.1", "EHLO me", *MAIL) ==
       "220 220 250 530 503", "a front end behind a front end")
    c = Client()
    ok(c.cmd("XCLIENT", "XCLIENT FOO=1", "XCLIENT ADDR", "XCLIENT ADDR=x", "XCLIENT LOGIN=a+b") ==
       "501 501 501 501 501", "what is none")
    c = Client()
    c.cmd("XCLIENT ADDR=127.0.0.1 LOGIN=ann", "EHLO me", *MAIL)
    ok(c.cmd("XCLIENT ADDR=192.0.2.1") == "503", "not in a transaction")


def with_fds(fd, *args):
    """A process with the socket as descriptor 3, as systemd starts it."""
    pid = os.fork()
    if pid == 0:
        os.dup2(fd, 3)
        os.set_inheritable(3, True)
        os.environ["LISTEN_FDS"] = "1"
        os.environ["LISTEN_PID"] = str(os.getpid())
        os.execvp("smtp-serve", ["smtp-serve", "-C", d + "/serve.conf", "--queue", d + "/q", *args])
    return pid


def fds():
    global port
    l = socket.create_server(("127.0.0.1", 0))
    port = l.getsockname()[1]
    pid = with_fds(l.fileno())
    c = Client()
    ok(c.cmd("EHLO me", *MAIL) == "250 250 250", "a listening socket as descriptor 3")
    os.kill(pid, signal.SIGTERM)
    ok(os.waitpid(pid, 0)[1] == 0, "ends by a signal")
    ok(c.cmd("DATA", ".") == "354 250", "the client stays")
    c.close()
    c = Client(greeted=False)
    s, _ = l.accept()
    pid = with_fds(s.fileno())
    s.close()
    ok(c.reply().startswith(b"220") and c.cmd("QUIT") == "221", "a client's as descriptor 3")
    ok(os.waitpid(pid, 0)[1] == 0, "which is all")
    c = Client(greeted=False)
    s, _ = l.accept()
    p = subprocess.Popen(["smtp-serve", "-C", d + "/serve.conf", "--queue", d + "/q"], stdin=s, stdout=s)
    s.close()
    ok(c.reply().startswith(b"220"), "a client's as standard input and output")
    ok(c.cmd("EHLO me", *MAIL, "DATA", ".", "QUIT") == "250 250 250 354 250 221" and p.wait() == 0, "by inetd")
    a, b = socket.socketpair()
    b.close()
    p = subprocess.Popen(["smtp-serve", "-C", d + "/serve.conf", "--queue", d + "/q"], stdin=a, stdout=a)
    ok(p.wait() == 0, "who is gone already is no error")


def renew():
    def now():
        c = Client()
        c.cmd("EHLO me")
        c.starttls()
        s = c.subject()
        c.close()
        return s
    ok("one.example" in now(), "the first certificate")
    for ext in "pem", "key":
        os.rename(d + "/one.example." + ext, d + "/old." + ext)
        os.link(d + "/two.example." + ext, d + "/one.example." + ext)
    ok("two.example" in now(), "a renewed one is there for the next client", now())
    os.unlink(d + "/one.example.pem")
    open(d + "/one.example.pem", "w").write("nonsense")
    ok("two.example" in now(), "nonsense leaves the old one")


if __name__ == "__main__":
    globals()[part]()
