#!/bin/sh
# Strangers with other people's clients, and what smtp-serve says of their mail beside other people's
# verifiers: dkimpy signs and verifies, pyspf checks, python3-authres reads the field.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/serve.sh"
. "$TOP/tests/peers.sh"
need python3 openssl

openssl genrsa -traditional -out "$T/rsa.pem" 2048 2>/dev/null || openssl genrsa -out "$T/rsa.pem" 2048 2>/dev/null
pub=$(openssl rsa -in "$T/rsa.pem" -pubout -outform DER 2>/dev/null | base64 -w0)
cat >"$T/zone" <<END
s._domainkey.pass.example TXT "v=DKIM1; k=rsa; p=$pub"
s._domainkey.other.example TXT "v=DKIM1; k=rsa; p=$pub"
gone._domainkey.pass.example TXT "v=DKIM1; k=rsa; p="
pass.example TXT "v=spf1 ip4:127.0.0.0/8 -all"
other.example TXT "v=spf1 a:host.other.example -all"
host.other.example A 127.0.0.1
fail.example TXT "v=spf1 ip4:192.0.2.1 -all"
soft.example TXT "v=spf1 mx ~all"
neutral.example TXT "v=spf1 ?all"
broken.example TXT "v=spf1 foo"
incl.example TXT "v=spf1 include:pass.example -all"
none.example A 192.0.2.1
_dmarc.pass.example TXT "v=DMARC1; p=reject"
_dmarc.fail.example TXT "v=DMARC1; p=quarantine"
_dmarc.none.example TXT "v=DMARC1; p=none"
END
bg python3 "$TOP/tests/zone.py" "$T/zone" "$T/dnsport" >/dev/null
until_true 40 test -s "$T/dnsport" || { echo 'Bail out! no name server'; exit 1; }
printf 'ann\ninfo: ann, far@elsewhere.example\n' >"$T/a"
serve_conf "resolver = \"127.0.0.1@$(cat "$T/dnsport")\"
route \"*\" { relay = \"127.0.0.1:9\" }
local \"h.example\" { addresses = \"$T/a\" }
listen \"mx\" { auth = none }"
serve_start --as mx

# --- clients
whole() {
	is "$(queued)" "$2" "$1: they are there"
	ok "$1: and whole" smtp-queue --queue "$T/q" check
	is "$(cat "$T"/q/new/* | grep -ac '^Authentication-Results: h.example;')" "$2" "$1: each with its verdicts"
	empty_queue
}
python3 - "$PORT" >"$T/out" 2>&1 <<'PY'
import smtplib, sys
s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]))
print(s.sendmail("e@pass.example", ["ann@h.example", "nobody@h.example", "x@elsewhere.example"], "Subject: 1\r\n\r\nx"))
s.sendmail("e@pass.example", ["info@h.example"], b"Subject: 2\r\n\r\n.\r\n..\r\nx", ["body=8bitmime"])
try:
    s.sendmail("e@pass.example", ["x@elsewhere.example"], "Subject: 3\r\n\r\nx")
except smtplib.SMTPRecipientsRefused as e:
    print(e.recipients)
s.quit()
PY
is "$(cat "$T/out")" "{'nobody@h.example': (550, b'5.1.1 <nobody@h.example>: nobody is there'), 'x@elsewhere.example': (550, b'5.7.1 relaying denied: log in first')}
{'x@elsewhere.example': (550, b'5.7.1 relaying denied: log in first')}" 'smtplib hears who is there and who is not'
whole smtplib 2
if command -v swaks >/dev/null; then
	ok 'swaks' swaks --silent 3 -s 127.0.0.1 -p "$PORT" -f e@pass.example -t ann@h.example --pipeline
	is "$(swaks -s 127.0.0.1 -p "$PORT" -f e@pass.example -t nobody@h.example | grep '^<\*\*')" \
	    '<** 550 5.1.1 <nobody@h.example>: nobody is there' 'swaks to nobody'
	whole swaks 1
fi
if [ -x "$PEERS/postfix/usr/sbin/smtp-source" ]; then
	ok 'smtp-source: 200 messages, 10 at a time' env LD_LIBRARY_PATH="$(cat "$PEERS/postfix/libpath")" \
	    "$PEERS/postfix/usr/sbin/smtp-source" -s 10 -m 200 -l 4096 -f e@pass.example -t info@h.example "127.0.0.1:$PORT"
	whole smtp-source 200
fi

# --- verifiers
PY=
for p in python3 /usr/bin/python3; do
	"$p" -c 'import authres, dkim, spf' 2>/dev/null && PY=$p && break
done
if [ -z "$PY" ]; then
	result 0 'other verifiers # SKIP python3-authres, python3-dkim or python3-spf is not here'
	done_testing
fi
cat >"$T/verify.py" <<'PY'
import glob, os, re, smtplib, sys
import authres, dkim, spf
port, t = int(sys.argv[1]), sys.argv[2]
zone = {}
for line in open(t + "/zone"):
    n, kind, value = line.rstrip("\n").split(None, 2)
    zone.setdefault(n, []).append((kind, value.strip('"')))

def lookup(name, qtype, *args, **kw):
    name = name.lower().rstrip(".")
    for kind, v in zone.get(name, []):
        if kind == qtype:
            yield ((name, kind), (v.encode(),) if kind == "TXT" else v)
spf.DNSLookup = lookup

def txt(name, timeout=5):
    name = (name if isinstance(name, str) else name.decode()).rstrip(".")
    for kind, v in zone.get(name, []):
        if kind == "TXT":
            return v.encode()

def message(author, sign=(), spoil=None, forged=False):
    m = b"From: Ann <ann@%s>\r\nTo: x@h.example\r\nSubject: s\r\n\r\nHello,\r\n\r\n.dots\r\n" % author.encode()
    for domain, selector in sign:
        m = dkim.sign(m, selector.encode(), domain.encode(), open(t + "/rsa.pem", "rb").read(),
                      include_headers=[b"from", b"to", b"subject"]) + m
    if forged:
        m = b"Authentication-Results: h.example; dmarc=pass header.from=fail.example\r\n" + m
    return m.replace(*spoil) if spoil else m

def send(sender, helo, m):
    s = smtplib.SMTP("127.0.0.1", port, local_hostname=helo)
    s.sendmail(sender, ["ann@h.example"], m)
    s.quit()
    files = glob.glob(t + "/q/new/*")
    raw = open(files[0], "rb").read()
    os.unlink(files[0])
    content = raw[raw.index(b"Authentication-Results: "):]
    fields = re.findall(rb"(?m)^Authentication-Results:.*\r\n(?:[ \t].*\r\n)*", content)
    return content, fields

# sender's domain, HELO, author's domain, signatures, what is changed, DMARC by RFC 9989
cases = [
    ("pass", "pass", "pass", [], None, "pass"),
    ("pass", "fail", "fail", [], None, "fail"),
    ("fail", "fail", "pass", [("pass.example", "s")], None, "pass"),
    ("fail", "none", "pass", [("pass.example", "s")], (b"Hello", b"hello"), "fail"),
    ("other", "soft", "pass", [("other.example", "s")], None, "fail"),
    ("other", "soft", "sub.pass", [("other.example", "s"), ("pass.example", "s")], None, "pass"),
    ("soft", "broken", "none", [("pass.example", "nokey")], None, "fail"),
    ("neutral", "neutral", "none", [("pass.example", "gone")], None, "fail"),
    ("none", "none", "other", [("other.example", "s")], (b"Subject: s", b"Subject: t"), "none"),
    ("broken", "incl", "broken", [], None, "none"),
    ("incl", "pass", "incl", [], None, "none"),
]
for i, (sender, helo, author, sign, spoil, want) in enumerate(cases):
    what = "%d: %s %s %s" % (i, sender, author, sign)
    m = message(author + ".example", sign, spoil, forged=i % 2 == 1)
    content, fields = send("e@%s.example" % sender, helo + ".example", m)
    h = authres.AuthenticationResultsHeader.parse(re.sub(rb"\r\n", b"", fields[0]).decode())
    got = {"dkim": [], "spf": [], "dmarc": []}
    for r in h.results:
        got[r.method].append((r.result, {p.name: p.value for p in r.properties}))
    theirs_spf = spf.check2(i="127.0.0.1", s="e@%s.example" % sender, h=helo + ".example")[0]
    theirs_helo = spf.check2(i="127.0.0.1", s="", h=helo + ".example")[0]
    # What was stored is verified as it stands, signature by signature.
    body = content[content.index(fields[0]) + len(fields[0]):]
    d = dkim.DKIM(body, timeout=5)
    theirs_dkim = []
    for k in range(len(sign)):
        try:
            theirs_dkim.append(d.verify(idx=k, dnsfunc=txt))
        except dkim.DKIMException:
            theirs_dkim.append(False)
    good = (h.authserv_id == "h.example" and len(fields) == 1
            and [r for r, _ in got["spf"]] == [theirs_spf, theirs_helo]
            and got["spf"][0][1] == {"mailfrom": "e@%s.example" % sender} and got["spf"][1][1] == {"helo": helo + ".example"}
            and [r == "pass" for r, _ in got["dkim"]] == (theirs_dkim or [False])
            and [p.get("d") for r, p in got["dkim"]] == ([x for x, _ in reversed(sign)] or [None])
            and got["dmarc"] == [(want, {"from": author + ".example"})])
    print("ok" if good else "not ok", what)
    if not good:
        print(fields, theirs_spf, theirs_helo, theirs_dkim)
PY
"$PY" "$T/verify.py" "$PORT" "$T" >"$T/verified" 2>&1
rc=$?
while IFS= read -r line; do
	case $line in
	'ok '*) result 0 "${line#ok }" ;;
	'not ok '*) result 1 "${line#not ok }" ;;
	*) echo "# $line" ;;
	esac
done <"$T/verified"
is $rc 0 'all were sent'
is "$(grep -v 'listening at' "$T/serve.err")" '' 'nothing on standard error'
ok 'ended' serve_stop
done_testing
