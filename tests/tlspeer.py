# An SMTP server that says of each connection over TLS: version, whether it was resumed, whose certificate the client
# has shown, how it has logged in, and the MAIL command.  tlspeer.py PORTFILE LOG OPTION...
#     cert=FILE      PEM, key and certificate (again: which it has from the second connection on)
#     max=1.2        no newer version      tickets=0   gives none      ca=FILE   asks for a certificate
#     at=ADDRESS     port 25 there, instead of any on loopback
#     fail-resumed   ends a connection that was resumed
import os, socket, ssl, sys, threading

opt = {}
for a in sys.argv[3:]:
    k, _, v = a.partition("=")
    opt.setdefault(k, []).append(v)

def context(cert):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(cert)
    if "max" in opt:
        c.maximum_version = ssl.TLSVersion.TLSv1_2
    if opt.get("tickets") == ["0"]:
        c.num_tickets = 0
        c.options |= ssl.OP_NO_TICKET
    if "ca" in opt:
        c.verify_mode = ssl.CERT_OPTIONAL
        c.load_verify_locations(opt["ca"][0])
    c.sni_callback = lambda s, name, c: open(sys.argv[2] + ".sni", "a").write("%s\n" % name) and None
    return c

contexts = [context(f) for f in opt["cert"]]
log = open(sys.argv[2], "a", buffering=1)
count = 0

def say(s, *lines):
    s.sendall(b"".join(l.encode() + b"\r\n" for l in lines))

def serve(s, ctx):
    f, auth = s.makefile("rb"), "-"
    say(s, "220 peer.example")
    tls = ""
    while True:
        line = f.readline().decode("latin-1").strip()
        verb = line.upper().split(" ")[0]
        if not line or verb == "QUIT":
            if line:
                say(s, "221 bye")
            break
        if verb == "EHLO":
            say(s, "250-peer.example", "250-AUTH EXTERNAL" if tls else "250-STARTTLS", "250 8BITMIME")
        elif verb == "STARTTLS":
            say(s, "220 go")
            s = ctx.wrap_socket(s, server_side=True)
            f = s.makefile("rb")
            subject = dict(x[0] for x in (s.getpeercert() or {}).get("subject", ())).get("commonName", "-") if "ca" in opt else "-"
            tls = "%s %s %s" % (s.version(), "resumed" if s.session_reused else "full", subject)
            if s.session_reused and "fail-resumed" in opt:
                log.write("broken\n")
                break
        elif verb == "AUTH":
            auth = line
            say(s, "235 2.7.0 in")
        elif verb == "MAIL":
            log.write("%s %s %s\n" % (tls or "clear", auth.replace(" ", "_"), line.split(" ")[1]))
            say(s, "250 ok")
        elif verb == "DATA":
            say(s, "354 go")
            while f.readline() not in (b".\r\n", b""):
                pass
            say(s, "250 2.0.0 taken")
        else:
            say(s, "250 ok")
    s.close()

def quietly(s, ctx):
    try:
        serve(s, ctx)
    except (OSError, ValueError):
        s.close()

l = socket.socket()
l.bind((opt["at"][0], 25) if "at" in opt else ("127.0.0.1", 0))
l.listen(50)
with open(sys.argv[1] + ".tmp", "w") as f:
    f.write(str(l.getsockname()[1]))
os.rename(sys.argv[1] + ".tmp", sys.argv[1])
while True:
    s, _ = l.accept()
    threading.Thread(target=quietly, args=(s, contexts[min(count, len(contexts) - 1)]), daemon=True).start()
    count += 1
