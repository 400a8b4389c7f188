#!/usr/bin/env python3
"""scriptpeer.py - an SMTP server that plays a script and writes down what it saw.  Loopback only.

    scriptpeer.py [--listen ADDRESS] [--cert PEM] [--lmtp] [--unix PATH] DIR

DIR/port is written when it listens.  DIR/script is read anew for each connection; a line "--" parts
the connections, the last part serves all that follow, and they are counted from 1 again when the
script is another file.  Where the script says nothing it is a good server.

    offer PIPELINING, SIZE 1000      the EHLO keywords (default: OFFER below); "offer" alone is none
    tlsoffer 8BITMIME                those after STARTTLS (default: the same without STARTTLS)
    EVENT[#N][=TEXT] ACTION [; ACTION]...

EVENT is connect, EHLO, HELO, STARTTLS, MAIL, RCPT, DATA, BDAT, dot (all content of a message has come),
part (=BYTES of it have), RSET, NOOP, QUIT or other; #N the N-th of this connection, TEXT in the line.  The first
rule that fits is played instead of what a good server does.  With --lmtp it is LHLO, and a dot for each
recipient that was taken, who is then the line:

    250-a|250 b      a reply, "|" parts its lines        raw TEXT        TEXT as it is, \\r \\n \\0 \\xNN known
    sleep S          waits                               drip S REPLY    a byte each S seconds
    flood BYTES REPLY   REPLY with so many x behind it   tls             the handshake, as server
    close  rst       ends the connection                 hang            reads, and says nothing more
    deaf             does not even read                  go              and what a good server does

DIR/log has a JSON object a line, written before the reply to it leaves: open, command (read: the number of the
recv(2) that completed it, so that what came together can be told), message, end.  Contents are DIR/CONN.N.eml, as
the message was, and .wire, as it came.
"""
import argparse
import codecs
import json
import os
import re
import socket
import ssl
import struct
import threading
import time

OFFER = "PIPELINING, SIZE 50000000, 8BITMIME, DSN, CHUNKING, SMTPUTF8, ENHANCEDSTATUSCODES"
VERBS = "EHLO LHLO HELO STARTTLS MAIL RCPT DATA BDAT RSET NOOP QUIT".split()
GOOD = {"connect": "220 peer.test ESMTP", "HELO": "250 peer.test", "STARTTLS": "220 2.0.0 go",
        "MAIL": "250 2.1.0 ok", "RCPT": "250 2.1.5 ok", "DATA": "354 go", "dot": "250 2.0.0 queued",
        "RSET": "250 2.0.0 ok", "NOOP": "250 2.0.0 ok", "QUIT": "221 2.0.0 bye",
        "other": "500 5.5.2 what"}
PATIENCE_S = 60


class Bye(Exception):
    """The connection ends; why."""


class Rule:
    def __init__(self, text):
        match = re.match(r"(\w+)(?:#(\d+))?(?:=(\S+))?\s+(.*)", text)
        if not match:
            raise ValueError("script: " + text)
        self.event, number, self.text, actions = match.groups()
        self.number = int(number or 0)
        self.actions = [a.strip() for a in re.split(r"\s;\s", actions)]

    def fits(self, event, number, line):
        return (self.event == event and self.number in (0, number)
                and (not self.text or event == "part" or self.text in line))


class Script:
    def __init__(self, text):
        self.offer, self.tlsoffer, self.rules = OFFER, None, []
        for line in text.splitlines():
            word, _, rest = line.partition(" ")
            if word in ("offer", "tlsoffer"):
                setattr(self, word, rest)
            elif word and word[0] != "#":
                self.rules.append(Rule(line))


class Conversation:
    def __init__(self, sock, script, number, peer):
        self.sock, self.script, self.number, self.peer = sock, script, number, peer
        self.input = b""
        self.reads = self.messages = self.code = 0
        self.counts = {}
        self.tls = False
        self.mail, self.rcpts, self.content, self.by = None, [], b"", None

    def log(self, **what):
        self.peer.log({"conn": self.number, **what})

    def more(self):
        data = self.sock.recv(1 << 20)
        if not data:
            raise Bye("eof")
        self.input += data
        self.reads += 1

    def line(self):
        while b"\n" not in self.input:
            self.more()
        text, _, self.input = self.input.partition(b"\n")
        return text.rstrip(b"\r").decode("utf-8", "surrogateescape")

    # --- speaking

    def send(self, data):
        """Out it goes; its first digits are the code that the state follows."""
        self.sock.sendall(data)
        self.code = int(data[:3]) if data[:3].isdigit() else 0

    def say(self, text):
        self.send(text.replace("|", "\r\n").encode("utf-8") + b"\r\n")

    def drip(self, seconds, text):
        for byte in text.replace("|", "\r\n").encode() + b"\r\n":
            self.sock.sendall(bytes([byte]))
            time.sleep(float(seconds))
        self.code = int(text[:3])

    def hang(self):
        while self.sock.recv(65536):
            pass
        raise Bye("eof")

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Bye("reset")

    def start_tls(self):
        self.input = b""
        self.sock = self.peer.tls.wrap_socket(self.sock, server_side=True)
        self.tls = True

    def good(self, event):
        if event == ("LHLO" if self.peer.lmtp else "EHLO"):
            offer = self.script.offer
            if self.tls:
                offer = self.script.tlsoffer
                offer = self.script.offer.replace("STARTTLS", "X-TLS") if offer is None else offer
            lines = ["peer.test"] + [w.strip() for w in offer.split(",") if w.strip()]
            self.say("|".join(["250-" + w for w in lines[:-1]] + ["250 " + lines[-1]]))
        elif event == "EHLO" and self.peer.lmtp or event == "LHLO":
            self.say(GOOD["other"])
        elif event == "DATA" and not self.rcpts:
            self.say("554 5.5.1 no valid recipients")
        elif event in GOOD:
            self.say(GOOD[event])
        if event == "STARTTLS":
            self.start_tls()

    def act(self, action, event):
        word, _, rest = action.partition(" ")
        if action[0].isdigit():
            self.say(action)
        elif word == "raw":
            self.send(codecs.escape_decode(rest.encode())[0])
        elif word == "sleep":
            time.sleep(float(rest))
        elif word == "drip":
            self.drip(*rest.split(" ", 1))
        elif word == "flood":
            size, text = rest.split(" ", 1)
            self.say(text + "x" * int(size))
        elif word == "tls":
            self.start_tls()
        elif word == "close":
            raise Bye("closed")
        elif word == "rst":
            self.reset()
        elif word == "hang":
            self.hang()
        elif word == "deaf":
            time.sleep(PATIENCE_S)
        elif word == "go":
            self.good(event)
        else:
            raise ValueError("script: " + action)

    def rule(self, event, line=""):
        number = self.counts[event] = self.counts.get(event, 0) + 1
        for r in self.script.rules:
            if r.fits(event, number, line):
                return r
        return None

    def play(self, event, line=""):
        """What the script says to this, else what is proper; the code of the last reply."""
        r = self.rule(event, line)
        self.code = 0
        if not r:
            self.good(event)
        else:
            for action in r.actions:
                self.act(action, event)
        return self.code

    # --- content

    def store(self, complete):
        self.messages += 1
        name = "%d.%d" % (self.number, self.messages)
        wire = self.content
        if self.by == "DATA":
            plain = (b"\r\n" + wire).replace(b"\r\n.", b"\r\n")[2:]
        else:
            plain = wire
        for suffix, data in ((".wire", wire), (".eml", plain)):
            with open(os.path.join(self.peer.dir, name + suffix), "wb") as f:
                f.write(data)
        self.log(**{"is": "message", "by": self.by, "complete": complete, "bytes": len(plain),
                    "from": self.mail, "to": self.rcpts, "file": name, "read": self.reads})

    def parts(self, had, have):
        for r in self.script.rules:
            if r.event == "part" and had < int(r.text) <= have:
                for action in r.actions:
                    self.act(action, "part")

    def end_of_message(self):
        self.store(True)
        self.by, content = None, self.content
        self.content = b""
        if self.peer.lmtp:
            for rcpt in self.rcpts:
                self.play("dot", rcpt)
        else:
            self.play("dot", content[:200].decode("latin-1"))
        self.mail, self.rcpts = None, []

    def data(self):
        self.by = "DATA"
        whole, seen, end = bytearray(b"\r\n"), 0, -1
        try:
            while True:
                whole += self.input
                self.input = b""
                end = whole.find(b"\r\n.\r\n", max(0, seen - 5))
                if end >= 0:
                    break
                self.parts(max(0, seen - 2), len(whole) - 2)
                seen = len(whole)
                self.more()
        finally:
            self.content = bytes(whole[2:])
        self.content, self.input = bytes(whole[2:end + 2]), bytes(whole[end + 5:])
        self.end_of_message()

    def bdat(self, line):
        words = line.split()
        size = int(words[1])
        self.by = "BDAT"
        early = self.rule("BDAT", line)
        for action in early.actions if early else []:
            self.act(action, "BDAT")
        self.content = bytearray(self.content)
        start = len(self.content)
        while len(self.content) - start < size:
            if not self.input:
                self.more()
            take = size - (len(self.content) - start)
            had = len(self.content)
            self.content += self.input[:take]
            self.input = self.input[take:]
            self.parts(had, len(self.content))
        if self.mail is None or not self.rcpts:
            self.content, self.by = b"", None
            self.say("503 5.5.1 no transaction")
        elif words[-1].upper() == "LAST":
            self.end_of_message()
        else:
            self.say("250 2.0.0 %d octets" % size)

    # --- commands

    def forget(self):
        self.mail, self.rcpts, self.content, self.by = None, [], b"", None

    def obey(self, line):
        verb = line.split(" ")[0].upper()
        event = verb if verb in VERBS else "other"
        self.log(**{"is": "command", "read": self.reads, "line": line})
        if event == "BDAT":
            self.bdat(line)
            return
        if event == "QUIT":
            self.log(**{"is": "end", "how": "QUIT"})
        code = self.play(event, line)
        ok = 200 <= code <= 299
        if event == "QUIT":
            raise Bye("")
        if event in ("EHLO", "LHLO", "HELO", "RSET") and ok:
            self.forget()
        elif event == "MAIL" and ok:
            self.forget()
            self.mail = line[10:].split(" ")[0]
        elif event == "RCPT" and ok:
            self.rcpts.append(line[8:].split(" ")[0])
        elif event == "DATA" and code == 354:
            self.data()

    def run(self):
        how = "error"
        self.log(**{"is": "open"})
        try:
            self.play("connect")
            while True:
                self.obey(self.line())
        except Bye as bye:
            how = str(bye)
        except (OSError, ssl.SSLError) as e:
            how = "error: %s" % e
        if self.by and how:
            self.store(False)
        if how:
            self.log(**{"is": "end", "how": how})
        self.sock.close()


class Peer:
    def __init__(self, where, cert, lmtp):
        self.dir = where
        self.lmtp = lmtp
        self.lock = threading.Lock()
        self.stamp, self.count = None, 0
        self.tls = None
        if cert:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(cert)

    def log(self, what):
        line = json.dumps(what, separators=(",", ":"), ensure_ascii=False)
        with self.lock, open(os.path.join(self.dir, "log"), "ab") as f:
            f.write(line.encode("utf-8", "surrogateescape") + b"\n")

    def script(self):
        """The part of the script for the next connection, and its number."""
        path = os.path.join(self.dir, "script")
        try:
            with open(path, encoding="utf-8") as f:
                stat = os.fstat(f.fileno())
                text = f.read()
        except FileNotFoundError:
            stat, text = None, ""
        stamp = stat and (stat.st_ino, stat.st_mtime_ns)
        if stamp != self.stamp:
            self.stamp, self.count = stamp, 0
        self.count += 1
        parts = re.split(r"(?m)^--\n", text)
        return Script(parts[min(self.count, len(parts)) - 1]), self.count

    def serve(self, sock):
        sock.settimeout(PATIENCE_S)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        script, number = self.script()
        threading.Thread(target=Conversation(sock, script, number, self).run, daemon=True).start()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--listen", default="127.0.0.1")
    p.add_argument("--cert")
    p.add_argument("--lmtp", action="store_true")
    p.add_argument("--unix")
    p.add_argument("dir")
    a = p.parse_args()
    peer = Peer(a.dir, a.cert, a.lmtp)
    if a.unix:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(a.unix)
    else:
        listener = socket.socket(socket.AF_INET6 if ":" in a.listen else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((a.listen, 0))
    listener.listen(128)
    port = os.path.join(a.dir, "port")
    with open(port + ".tmp", "w", encoding="ascii") as f:
        f.write("%d\n" % (0 if a.unix else listener.getsockname()[1]))
    os.rename(port + ".tmp", port)
    while True:
        peer.serve(listener.accept()[0])


main()
