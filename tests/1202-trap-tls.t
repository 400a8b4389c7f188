#!/bin/sh
# smtp-trap and STARTTLS: OpenSSL, GnuTLS and Python as clients, and handshakes that go wrong.
. "$(dirname "$0")/lib.sh"
need python3 openssl

# python: a program with `plain`, a client in clear text that has said EHLO, and `secure(options)`
python() {
	{
		cat <<-'END'
		import smtplib, socket, ssl, sys, threading
		port = int(sys.argv[1])
		def plain():
		    s = smtplib.SMTP("127.0.0.1", port, "client.example", timeout=20); s.ehlo(); return s
		def context(version=None):
		    c = ssl.create_default_context(); c.check_hostname = False; c.verify_mode = ssl.CERT_NONE
		    if version: c.minimum_version = c.maximum_version = version
		    return c
		def secure(version=None):
		    s = plain(); s.starttls(context=context(version)); s.ehlo(); return s
		END
		cat
	} >"$T/p.py"
	timeout 60 python3 -W ignore "$T/p.py" "$PORT"
}

trap_run --tls --name trap.example --maildir "$T/box" --log "$T/log"
is "$(python <<'END'
s = plain(); print(s.has_extn("starttls"))
s.starttls(context=context()); s.ehlo(); print(s.has_extn("starttls"), s.sock.version())
s.sendmail("a@example.org", ["b@example.com"], "Subject: x\r\n\r\nover tls\r\n"); print(s.quit()[0])
END
)" 'True
False TLSv1.3
221' 'Python, TLS 1.3'
like "$(grep '^X-Trap-Tls' "$T"/box/new/*)" '^X-Trap-Tls: TLS1\.3 [A-Z0-9_-]+.$' 'the file tells'
ok '... and the log' until_true 40 grep -q '"type":"transaction".*"tls":"TLS1.3 ' "$T/log"
is "$(python <<'END'
s = secure(ssl.TLSVersion.TLSv1_2); print(s.sock.version(), s.noop()[0]); s.quit()
try: print(secure(ssl.TLSVersion.TLSv1_1).sock.version())
except ssl.SSLError: print("refused")
END
)" 'TLSv1.2 250
refused' 'TLS 1.2, but not 1.1'
is "$(python <<'END'
s = plain(); s.sock.sendall(b"STARTTLS\r\nMAIL FROM:<evil@example.org>\r\nRCPT TO:<b@example.com>\r\n")
print(s.getreply()[0]); s.sock = context().wrap_socket(s.sock); s.file = None
s.helo_resp = s.ehlo_resp = None
print(s.docmd("MAIL FROM:<a@example.org>")[0], s.ehlo("c")[0], s.docmd("RCPT TO:<b@example.com>")[0])
END
)" '220
503 250 503' 'RFC 3207 4.2: what was said before the handshake is forgotten'
ok '... and told' until_true 40 grep -q '"type":"injected"' "$T/log"
is "$(python <<'END'
s = plain(); s.docmd("STARTTLS"); s.sock.sendall(b"EHLO this is not TLS\r\n")
print(s.sock.recv(1))
s = plain(); s.docmd("STARTTLS"); s.sock.close()
s = plain(); s.docmd("STARTTLS"); s.sock.sendall(b"\x16\x03\x01"); s.sock.close()
print(secure().noop()[0])
END
)" "b'\\x15'
250" 'handshakes that are none do no harm'
is "$(python <<'END'
s = secure(); s.mail("a@b")
try: print(s.rcpt("tls-fail@d"))
except (ssl.SSLError, smtplib.SMTPServerDisconnected) as e: print("broken")
s = plain(); s.mail("a@b"); print(s.rcpt("tls-fail@d")[0])
END
)" 'broken
250' 'tls-fail@ breaks TLS, but not clear text'
is "$(python <<'END'
body = b"z" * 70 + b"\r\n..\r\n"
s = secure(); s.mail("a@b"); s.rcpt("c@d"); s.docmd("DATA")
s.sock.sendall(body * 100000 + b".\r\n"); print(s.getreply()[0])
s.mail("a@b"); s.rcpt("c@d"); s.sock.sendall(b"BDAT 7600000 LAST\r\n" + body * 100000); print(s.getreply()[0])
s.sock.sendall(b"NOOP\r\n" * 100000); print({s.getreply()[0] for _ in range(100000)})
END
)" '250
250
{250}' 'much, both ways'
ok '... and it came whole' until_true 40 sh -c "grep '\"by\":\"DATA\",\"size\":7500000,' '$T/log' && grep '\"by\":\"BDAT\",\"size\":7600000,' '$T/log'"
like "$(printf 'QUIT\r\n' | timeout 20 openssl s_client -starttls smtp -connect "127.0.0.1:$PORT" -ign_eof 2>&1)" \
    '^221 2.0.0 bye' 'OpenSSL'
if command -v gnutls-cli >/dev/null; then
	like "$(printf 'QUIT\r\n' | timeout 20 gnutls-cli --starttls-proto=smtp --insecure -p "$PORT" 127.0.0.1 2>&1)" \
	    '^221 2.0.0 bye' 'GnuTLS'
fi
timeout 20 openssl s_client -starttls smtp -connect "127.0.0.1:$PORT" </dev/null 2>/dev/null |
    openssl x509 -out "$T/made.pem"
ok 'its certificate is for its name' sh -c \
    "openssl x509 -in '$T/made.pem' -noout -checkhost trap.example | grep -q 'does match'"
ok '... valid now' openssl verify -CAfile "$T/made.pem" -partial_chain "$T/made.pem"
ok '... and for half a year at least' openssl x509 -in "$T/made.pem" -noout -checkend 15000000
is "$(python <<'END'
held = [secure() for _ in range(50)]
def one(s):
    for i in range(20): s.sendmail("a@b", ["c@d"], "x\r\n")
all = [threading.Thread(target=one, args=(s,)) for s in held]
for t in all: t.start()
for t in all: t.join()
print({s.noop()[0] for s in held})
END
)" '{250}' 'fifty at once'
trap_ends 'ends'
is "$(grep -c '"outcome":"accepted"' "$T/log")" 1003 '... and has all of them'

trap_run --tls --discard --latency 100 --timeout 3
is "$(python <<'END'
import time
s = secure(); t = time.monotonic(); s.noop(); t = time.monotonic() - t
print("late" if 0.1 <= t < 3 else t)
s = plain(); s.docmd("STARTTLS"); t = time.monotonic(); print(s.sock.recv(1)); t = time.monotonic() - t
print("timely" if t < 15 else t)
END
)" "late
b''
timely" 'latency in TLS; a handshake that never comes'
trap_ends 'ends'

trap_run --tls-fail --discard
is "$(python <<'END'
s = plain(); print(s.has_extn("starttls"), s.docmd("STARTTLS")[0])
try: context().wrap_socket(s.sock)
except ssl.SSLError as e: print("no TLS")
print(plain().noop()[0])
END
)" 'True 220
no TLS
250' '--tls-fail'
trap_ends 'ends'

openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=own.example -keyout "$T/key.pem" \
    -out "$T/cert.pem" 2>/dev/null
trap_run --cert "$T/cert.pem" --key "$T/key.pem" --discard
like "$(timeout 20 openssl s_client -starttls smtp -connect "127.0.0.1:$PORT" </dev/null 2>/dev/null)" \
    '^subject=CN *= *own.example' 'a certificate of its own'
trap_ends 'ends'
trap_run --discard
is "$(python <<'END'
s = plain(); print(s.has_extn("starttls"), s.docmd("STARTTLS")[0])
END
)" 'False 503' 'no STARTTLS unless asked for'
trap_ends 'ends'
done_testing
