# conformance.py TABLE PORT QUEUE - walks a table of tests/data/conformance; a TAP line without number a row.
import os, re, socket, ssl, sys

table, port, queue = sys.argv[1], int(sys.argv[2]), sys.argv[3] + "/new"
ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|(.))")
OPEN = ["> EHLO client.example", "< 250"]
MACROS = {"OPEN": OPEN, "BEGUN": OPEN + ["> MAIL FROM:<a@x.example>", "< 250", "> RCPT TO:<b@y.example>", "< 250"]}


class Wrong(Exception):
    pass


def raw(text):
    named = {"r": "\r", "n": "\n", "0": "\0", "\\": "\\"}
    return ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else named[m[2]], text).encode("latin-1")


def entries():
    return set(os.listdir(queue)) if os.path.isdir(queue) else set()


class Walk:
    def __init__(self, address):
        self.s = socket.create_connection(("127.0.0.1", port), timeout=40, source_address=(address, 0))
        self.buf = b""
        self.before = entries()
        self.began = False

    def line(self):
        while b"\r\n" not in self.buf:
            try:
                more = self.s.recv(65536)
            except ConnectionError:
                more = b""
            if not more:
                return None
            self.buf += more
        line, self.buf = self.buf.split(b"\r\n", 1)
        return line.decode("latin-1")

    def reply(self):
        lines = []
        while not lines or lines[-1][3:4] == "-":
            line = self.line()
            if line is None:
                raise Wrong("closed behind %r" % lines)
            lines.append(line)
        if any(x[:3] != lines[0][:3] for x in lines):
            raise Wrong("two codes in %r" % lines)
        return lines

    def expect(self, code, pattern):
        lines = self.reply()
        if not re.fullmatch(code, lines[-1][:3]) or not re.search(pattern, "\n".join(lines)):
            raise Wrong("wanted %s %s, got %r" % (code, pattern, lines))

    def tls(self):
        c = ssl.create_default_context()
        c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
        if self.buf:
            raise Wrong("%r before the handshake" % self.buf)
        self.s = c.wrap_socket(self.s)

    def last(self):
        new = sorted(entries() - self.before)
        if not new:
            raise Wrong("no message")
        return open(queue + "/" + new[-1], "rb").read().replace(b"\r\n", b"\n").decode("latin-1")

    def step(self, line):
        word, _, rest = line.partition(" ")
        if word != "FROM" and not self.began:
            self.began = True
            if not line.startswith("< 220"):
                self.expect("220", "")
        if word in MACROS:
            for x in MACROS[word]:
                self.step(x)
        elif word == ">":
            self.s.sendall(raw(rest) + b"\r\n")
        elif word == ">>":
            self.s.sendall(raw(rest))
        elif word == "<":
            code, _, pattern = rest.partition(" ")
            self.expect(code, pattern)
        elif word == "x":
            n, code, text = rest.split(" ", 2)
            group = range(1, int(n) + 1)
            self.s.sendall(b"".join(raw(text.replace("%d", str(i))) + b"\r\n" for i in group))
            for _ in group if code != "-" else ():
                self.expect(code, "")
        elif word == "TLS":
            self.tls()
        elif word == "CLOSED":
            line = self.line()
            if line is not None:
                raise Wrong("not closed: %r" % line)
        elif word == "=":
            n = len(entries() - self.before)
            if n != int(rest):
                raise Wrong("%d messages" % n)
        elif word in ("~", "!~"):
            text = self.last()
            if bool(re.search(rest, text)) != (word == "~"):
                raise Wrong("%s %s: %s" % (word, rest, text))
        else:
            sys.exit("conformance: no such line: " + line)


def run(title, lines):
    address = "127.0.0.1"
    if lines[0].startswith("FROM "):
        address = lines.pop(0)[5:]
    w = Walk(address)
    try:
        for line in lines:
            at = line
            w.step(line)
        print("ok RFC " + title)
    except (Wrong, OSError) as e:
        print("not ok RFC %s\nat %s: %s" % (title, at, e))
    w.s.close()
    sys.stdout.flush()


title, lines, seen = None, [], set()
for line in open(table, encoding="utf-8"):
    line = line.rstrip("\n")
    if line.startswith("== "):
        if title:
            run(title, lines)
        title, lines = line[3:], []
        if title in seen or not re.match(r"\d+ [0-9A-Z][0-9.]* ", title):
            sys.exit("conformance: no good title, or twice: " + title)
        seen.add(title)
    elif line and not line.startswith("#"):
        lines.append(line)
run(title, lines)
