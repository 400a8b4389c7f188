#!/bin/sh
# 8bit = convert, send, fail: content with bytes over 127 and a server without 8BITMIME (RFC 6152 3). What is
# encoded says the same to Python's email package, and is signed as it leaves.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/dkim.sh"
need openssl python3
umask 077
cd "$T" || exit 1
openssl genrsa -out r.pem 2048 2>/dev/null
publish r example.com r.pem
cat >c <<C
notices { bounce = none }
dkim "example.com/r" { key = "$T/r.pem" }
C
cat >mails.py <<'PY'
import sys
w = lambda name, b: open(name, "wb").write(b.replace(b"\n", b"\r\n"))
head = b"From: Ann <ann@example.com>\nTo: bob@example.org\nSubject: x\nMIME-Version: 1.0\n"
text = head + b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
few = "Gr\u00fc\u00dfe, = und Leerzeichen am Ende \n\t\n.\n..x\nFrom me\n".encode() + b"z" * 300 + b"\n"
many = "\u3053\u3093\u306b\u3061\u306f\u3002\u3055\u3088\u3046\u306a\u3089\u3002\n".encode()
part = lambda t, b: b"--b\nContent-Type: " + t + b"\nContent-Transfer-Encoding: 8bit\n\n" + b
inner = b"From: c@example.net\nSubject: inner\nMIME-Version: 1.0\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\ncaf\xe9\n"
w("few", text + few)
w("many", text + many * 20)
w("big", text + (few + many) * 1500)
w("plain", head + b"\nno such byte\n")
w("parts", head + b"Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 8bit\n\npre\xc3\xa4mble\n"
  + part(b"text/plain; charset=utf-8", few) + part(b"text/html; charset=utf-8", many * 9)
  + b"--b\nContent-Type: text/plain\n\nplain\n" + part(b"message/rfc822", inner)
  + b"--b\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\nAAECAw==\n--b--\nend\n")
w("signed", head + b"Content-Type: multipart/signed; boundary=b; micalg=sha-256; protocol=\"application/pgp-signature\"\n\n"
  + part(b"text/plain; charset=utf-8", few) + b"--b\nContent-Type: application/pgp-signature\n\nx\n--b--\n")
w("partial", head + b"Content-Type: message/partial; id=\"a@b\"; number=1; total=2\n\ncaf\xc3\xa9\n")
PY
python3 mails.py
cat >same.py <<'PY'
import email, sys
def leaves(name):
    m = email.message_from_bytes(open(name, "rb").read().replace(b"\r\n", b"\n"))
    for p in m.walk():
        if not p.is_multipart():
            b = p.get_payload(decode=True).replace(b"\r\n", b"\n")
            yield p.get_content_type(), p.get_content_charset(), b.rstrip(b"\n")
a, b = (list(leaves(n)) for n in sys.argv[1:])
body = open(sys.argv[2], "rb").read().replace(b"\r\n", b"\n").split(b"\n\n", 1)[1]
long = [l for l in body.split(b"\n") if len(l) > 998]
print(len(a), "same" if a == b else "different", "7-bit" if max(body) < 128 else "8-bit", len(long))
PY
# arrives WHAT FILE LEAVES BITS [OPTIONS]: with the same to say, in so many parts, and a good signature
arrives() {
	what=$1 mail=$2 leaves=$3 bits=$4
	shift 4
	trap_start "$@"
	smtp-submit -C c --queue q -i -odq -B8BITMIME -f ann@example.com bob@example.org <"$mail"
	smtp-deliver -v -C c --queue q --relay "127.0.0.1:$PORT" >out 2>err
	is "$? $(cat err out)" '0 delivered 1 deferred 0 failed 0 expired 0' "$what: delivered"
	kill "$trap_pid"
	sed '/^X-Envelope-From: /d; /^X-Envelope-To: /d; /^X-Trap-[A-Z][a-z]*: /d' trap/new/* >m.eml
	rm -f trap/new/*
	is "$(python3 same.py "$mail" m.eml)" "$leaves same $bits 0" "$what: says the same, $bits"
	if [ -n "$PYTHON" ]; then
		is "$(by_dkimpy m.eml)" pass "$what: dkimpy verifies it"
	else
		result 0 "$what: dkimpy verifies it # SKIP no dkimpy"
	fi
}
# fails WHAT FILE WHY: with 5.6.3, and nothing is sent
fails() {
	trap_start --no-8bitmime
	smtp-submit -C c --queue q -i -odq -f ann@example.com bob@example.org <"$2"
	smtp-deliver -v -C c --queue q --relay "127.0.0.1:$PORT" >out 2>err
	like "$(cat err out)" 'delivered 0 deferred 0 failed 1 expired 0' "$1: fails"
	like "$(grep '"type":"bounced"' q/log/events-*.jsonl | tail -n 1)" "\"enhanced_code\":\"5.6.3\".*$3" "$1: 5.6.3, and why"
	kill "$trap_pid"
	is "$(find trap/new -type f 2>/dev/null | wc -l)" 0 "$1: nothing arrived"
}
arrives 'few, BDAT' few 1 7-bit --no-8bitmime
arrives 'big, BDAT' big 1 7-bit --no-8bitmime
arrives 'many, DATA' many 1 7-bit --no-8bitmime --no-chunking
arrives 'big, DATA' big 1 7-bit --no-8bitmime --no-chunking
arrives 'parts, DATA without PIPELINING' parts 5 7-bit --no-8bitmime --no-chunking --no-pipelining
like "$(tr '\n' ' ' <m.eml)" 'Encoding: 7bit.*quoted-printable.*base64.*quoted-printable' \
    'few are quoted-printable, many base64, and what has parts is 7bit'
arrives 'nothing to do' plain 1 7-bit --no-8bitmime
arrives 'a server that takes it' parts 5 8-bit
fails 'a signed part' signed 'signed or encrypted'
fails 'a part that admits no encoding' partial 'cannot be encoded'
echo '8bit = send' >>c
arrives '8bit = send' parts 5 8-bit --no-8bitmime
arrives '8bit = send, signed' signed 2 8-bit --no-8bitmime
sed -i 's/^8bit = .*/8bit = fail/' c
fails '8bit = fail' few 'does not know 8BITMIME'
arrives '8bit = fail, nothing to do' plain 1 7-bit --no-8bitmime
arrives '8bit = fail, a server that takes it' few 1 8-bit
is "$(find q/new q/cur -type f 2>/dev/null | wc -l)" 0 'nothing is left behind'

# --- what our disk has no room for, or will not open, is nobody's attempt

if faultrun -n true >/dev/null 2>&1; then
	sed -i '/^8bit = /d' c
	trap_start --no-8bitmime
	deferred=0 went=0 failed=0 n=0
	while [ $n -lt 40 ]; do
		n=$((n + 1))
		rm -rf q
		smtp-submit -C c --queue q -i -odq -B8BITMIME -f ann@example.com bob@example.org <few
		faultrun -v -o openat,pwrite64 -e $n ENOSPC smtp-deliver -C c --queue q --relay "127.0.0.1:$PORT" --no-sandbox >out 2>err
		rc=$?
		grep -q '^faultrun: -e at call' err || break
		failed=$((failed + (rc != 0)))
		cat q/log/* 2>/dev/null | grep -q '"type":"deferred".*No space' && deferred=$((deferred + 1))
		rm -f q/log/*
		smtp-deliver -C c --queue q --relay "127.0.0.1:$PORT" --no-sandbox >out 2>&1
		[ -z "$(find q/new q/cur -type f)" ] && went=$((went + 1))
	done
	is "$deferred $went" "0 $((n - 1))" "struck at each of $((n - 1)) calls: never deferred for it, and the next run delivers"
	ok "$failed of these runs say so" test "$failed" -ge 3
fi
done_testing
