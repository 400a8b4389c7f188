#!/usr/bin/env python3
"""An SMTP server that demands AUTH, written from the RFCs with nothing of ours, and one that lies.

    authpeer.py PORT-FILE MODE LOG

MODE: scram (RFC 7677, by the book), noproof, badproof, fewrounds, manyrounds, nonce (of its own alone),
endless, garbage, words (LOGIN with prompts that are no base64), login, xoauth2, longtoken, silent,
early (235 to AUTH itself), listed (AUTH= only).
Each line of the client's is logged."""
import base64, hashlib, hmac, json, os, socket, sys

portfile, mode, log = sys.argv[1:4]
PASSWORD, SALT, ROUNDS = b"pencil", b"0123456789abcdef", 4096
offers = {"xoauth2": "XOAUTH2", "longtoken": "OAUTHBEARER", "words": "LOGIN", "login": "LOGIN",
          "listed": "PLAIN"}.get(mode, "SCRAM-SHA-256")
b64 = lambda b: base64.b64encode(b).decode()

class Gone(Exception):
    pass

class Client:
    def __init__(self, s):
        self.s, self.f = s, s.makefile("rb")
        self.log = open(log, "a")

    def say(self, text):
        self.s.sendall((text + "\r\n").encode())

    def hear(self):
        line = self.f.readline()
        if not line:
            raise Gone
        line = line.decode().rstrip("\r\n")
        print(line, file=self.log, flush=True)
        return line

    def ask(self, challenge):
        self.say("334 " + challenge)
        return self.hear()

    def serve(self):
        self.say("220 peer")
        while True:
            line = self.hear()
            verb = line.split()[0].upper() if line.split() else ""
            if verb == "EHLO":
                eq = "=" if mode == "listed" else " "
                self.say("250-peer\r\n250 AUTH" + eq + offers)
            elif verb == "AUTH":
                self.say(self.auth(line.split()[2] if len(line.split()) > 2 else None))
            elif verb == "DATA":
                self.say("354 go")
                while self.hear() != ".":
                    pass
                self.say("250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 ok")

    def auth(self, first):
        if mode == "early":
            return "235 come in"
        if mode == "endless":
            while True:
                self.ask(b64(b"more"))
        if mode == "garbage":
            self.ask("?!?!")
        if mode == "silent":
            while True:
                self.hear()
        if offers == "PLAIN":
            good = base64.b64decode(first) == b"\0ann\0pencil"
            return "235 ok" if good else "535 5.7.8 no"
        if offers == "LOGIN":
            prompts = ["Who are you?", "Prove it!"] if mode == "words" else [b64(b"User Name\0"), b64(b"Password\0")]
            user, word = (base64.b64decode(self.ask(p)) for p in prompts)
            return "235 ok" if (user, word) == (b"ann", PASSWORD) else "535 5.7.8 no"
        if offers == "XOAUTH2":
            if base64.b64decode(first) == b"user=ann\1auth=Bearer pencil\1\1":
                return "235 2.7.0 Accepted"
            self.ask(b64(json.dumps({"status": "400", "schemes": "Bearer"}).encode()))
            return "535-5.7.8 Username and Password not accepted.\r\n535 5.7.8 gsmtp"
        if offers == "OAUTHBEARER":
            said = base64.b64decode(first if first is not None else self.ask(""))
            parts = said.split(b"\1")
            return "235 ok" if parts[0] == b"n,a=ann," and parts[3].startswith(b"auth=Bearer ") else "535 no"
        return self.scram(base64.b64decode(first).decode())

    def scram(self, first):
        assert first.startswith("n,,n=ann,r="), first
        bare = first[3:]
        nonce = ("" if mode == "nonce" else bare.split("r=")[1]) + "servers+own"
        rounds = {"fewrounds": 1, "manyrounds": 4294967295}.get(mode, ROUNDS)
        server_first = "r=%s,s=%s,i=%d" % (nonce, b64(SALT), rounds)
        final = base64.b64decode(self.ask(b64(server_first.encode()))).decode()
        without, proof = final.rsplit(",p=", 1)
        assert without == "c=biws,r=" + nonce, without
        salted = hashlib.pbkdf2_hmac("sha256", PASSWORD, SALT, rounds)
        mac = lambda k, m: hmac.new(k, m, "sha256").digest()
        key = mac(salted, b"Client Key")
        message = ",".join([bare, server_first, without]).encode()
        signature = mac(hashlib.sha256(key).digest(), message)
        if base64.b64decode(proof) != bytes(a ^ b for a, b in zip(key, signature)):
            return "535 5.7.8 no"
        if mode == "noproof":
            return "235 come in"
        v = mac(mac(salted, b"Server Key"), message)
        if mode == "badproof":
            v = bytes(32)
        said = self.ask(b64(b"v=" + base64.b64encode(v)))
        return "235 ok" if said == "" else "501 what?"

s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", 0))
s.listen(8)
with open(portfile + ".tmp", "w") as f:
    f.write("%d\n" % s.getsockname()[1])
os.rename(portfile + ".tmp", portfile)
while True:
    c, _ = s.accept()
    try:
        Client(c).serve()
    except (Gone, ConnectionError):
        pass
    except Exception as e:
        with open(log, "a") as f:
            print("!", repr(e), file=f)
    c.close()
