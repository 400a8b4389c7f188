#!/bin/sh
# SPF, DKIM and DMARC of mail that strangers bring: the field on top, forged ones, what is refused and
# what never is; the RFCs' signed messages, a name server of the test's own.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/serve.sh"
need python3
D=$TOP/tests/data/dkim

{
	cat "$D/keys"
	cat <<'END'
_dmarc.football.example.com TXT "v=DMARC1; p=reject"
pass.example TXT "v=spf1 ip4:127.0.0.1 -all"
fail.example TXT "v=spf1 -all exp=why.fail.example"
why.fail.example TXT "%{i} is none of ours"
front.example TXT "v=spf1 ip4:192.0.2.7 -all"
soft.example TXT "v=spf1 ~all"
err.example SERVFAIL
_dmarc.err.example SERVFAIL
_dmarc.reject.example TXT "v=DMARC1; p=reject"
_dmarc.quarantine.example TXT "v=DMARC1; p=quarantine"
_dmarc.none.example TXT "v=DMARC1; p=none"
_dmarc.pass.example TXT "v=DMARC1; p=reject"
silent.example SILENT
_dmarc.silent.example SILENT
_dmarc.example NODATA
END
} >"$T/zone"
bg python3 "$TOP/tests/zone.py" "$T/zone" "$T/dnsport" >"$T/asked"
until_true 40 test -s "$T/dnsport" || { echo 'Bail out! no name server'; exit 1; }
printf 'ann\n' >"$T/a"

cat >"$T/c.py" <<'PY'
"""send(SENDER, CONTENT, helo=): as a stranger, to ann; the last reply that is none of QUIT's."""
import socket, sys
port = int(sys.argv[1])
def send(sender, content, helo="me", rcpt="ann@h.example", first=b""):
    s = socket.create_connection(("127.0.0.1", port), timeout=60)
    f = s.makefile("rwb")
    def cmd(line):
        f.write(line if isinstance(line, bytes) else line.encode() + b"\r\n")
        f.flush()
        while True:
            line = f.readline().decode().rstrip("\r\n")
            if line[3:4] != "-":
                return line.split(" queued")[0]
    cmd(first)
    cmd("EHLO " + helo)
    cmd("MAIL FROM:<%s>" % sender)
    got = cmd("RCPT TO:<%s>" % rcpt)
    if got[0] == "2":
        cmd("DATA")
        if isinstance(content, str):
            content = content.replace("\n", "\r\n").encode()
        got = cmd(content + b"\r\n.\r\n")
    print(got)
def mail(domain, more=""):
    return more + "From: a@%s\nSubject: x\n\nhi" % domain
exec(sys.argv[2])
PY
# sent CODE: what the client hears; the message's top is then in $T/top, and the queue is empty again
sent() {
	python3 "$T/c.py" "$PORT" "$1" >"$T/said" 2>&1
	cat "$T"/q/new/* 2>/dev/null | tr -d '\r' | sed '1,/^rcpt=/d' | sed '1,2{/^user=[0-9]*$/d;/^received=1$/d;}' >"$T/got"
	sed '/^Received/,$d' "$T/got" >"$T/top"
	empty_queue
}
door() {
	rm -rf "$T/q"
	serve_conf "resolver = \"127.0.0.1@$(cat "$T/dnsport")\" max_header_bytes = 5M
route \"*\" { relay = \"127.0.0.1:9\" }
local \"h.example\" { addresses = \"$T/a\" }
serve { networks = \"127.9.0.0/16\" $1 }
listen \"mx\" { auth = none $2 }"
	serve_start --as mx
}

# --- what is said, in front of everything
door '' ''
sent "send('a@pass.example', open('$D/rfc8463.eml', 'rb').read().rstrip(b'\r\n'))"
is "$(cat "$T/said")" '250 2.0.0 Ok:' 'RFC 8463 A.3'
is "$(cat "$T/top")" 'Authentication-Results: h.example;
	dkim=pass (256-bit key) header.d=football.example.com header.s=brisbane header.a=ed25519-sha256 header.b="/gCrinpc";
	dkim=pass (1024-bit key, under the 2048 that RFC 8301 asks for) header.d=football.example.com header.s=test header.a=rsa-sha256 header.b=F45dVWDf;
	spf=pass (ip4:127.0.0.1 of pass.example matches) smtp.mailfrom=a@pass.example;
	dmarc=pass (DKIM of football.example.com is aligned; p=reject of football.example.com) header.from=football.example.com' 'its verdicts'
is "$(sed '1,/^Received/d' "$T/got" | sed -n '/^DKIM/,$p')" "$(tr -d '\r' <"$D/rfc8463.eml")" 'and the message as it was'
sent "send('', open('$D/rfc6376.eml', 'rb').read().replace(b'lost', b'won!').rstrip(b'\r\n'), helo='fail.example')"
is "$(cat "$T/said") $(cat "$T/top")" '250 2.0.0 Ok: Authentication-Results: h.example;
	dkim=fail (body hash did not verify) header.d=example.com header.s=brisbane header.a=rsa-sha256 header.b=AuUoFEfD;
	spf=fail (-all of fail.example matches) smtp.helo=fail.example;
	dmarc=fail (neither SPF nor DKIM is aligned; p=reject of football.example.com) header.from=football.example.com' \
    'the worst of all is reported, and nothing is refused unless it is said'
sent "send('a@pass.example', mail('pass.example'), helo='soft.example')"
is "$(sed 1d "$T/top")" '	dkim=none (message is not signed);
	spf=pass (ip4:127.0.0.1 of pass.example matches) smtp.mailfrom=a@pass.example;
	spf=softfail (~all of soft.example matches) smtp.helo=soft.example;
	dmarc=pass (SPF of pass.example is aligned; p=reject of pass.example) header.from=pass.example' 'HELO and MAIL'
sent "send('a@pass.example', 'Subject: x\n\n' + 70000 * 'long lines are read back from the entry\n' + 'end')"
is "$(sed '1,/^$/d' "$T/got" | md5sum)" "$(python3 -c 'print(70000 * "long lines are read back from the entry\n" + "end")' | md5sum)" 'a large message'
like "$(cat "$T/top")" 'dmarc=permerror' 'no From is no DMARC'
sent "send('a@pass.example', 'Subject: header alone')"
is "$(cat "$T/said") $(grep -c -e ^Auth -e ^Subject "$T/got")" '250 2.0.0 Ok: 2' 'a header without a body'

# --- who else says that he is us
sent "send('a@pass.example', mail('pass.example', '''Authentication-Results: h.example; dmarc=pass
Authentication-Results: (a (b)) \"H.Example\" 1;
 dkim=pass
authentication-results : other.example; spf=pass
Authentication-Results: (h.example
'''))"
is "$(grep -ci '^authentication-results' "$T/got") $(grep -c 'other.example; spf=pass' "$T/got")" '2 1' \
    'forged fields are gone, those of others stay'

# --- what cannot be known today refuses nothing
sent "send('a@err.example', mail('err.example', 'DKIM-Signature: v=1; a=rsa-sha256; d=err.example; s=err; h=from; bh=AAAA; b=AAAA\n'))"
is "$(cat "$T/said") $(grep -c -e 'spf=temperror' -e 'dmarc=temperror' "$T/top")" '250 2.0.0 Ok: 2' 'a name server that fails'
ok 'ended' serve_stop
door 'spf = reject dmarc = reject dns_time = 1s' ''
sent "send('a@err.example', mail('err.example'))"
is "$(cat "$T/said") $(grep -c -e 'spf=temperror' -e 'dmarc=temperror' "$T/top")" '250 2.0.0 Ok: 2' 'whatever the policy'
sent "send('a@silent.example', mail('silent.example'))"
is "$(cat "$T/said") $(grep -c -e 'spf=temperror' -e 'dmarc=temperror' "$T/top")" '250 2.0.0 Ok: 2' 'nor does one that is silent'

# --- what is refused, by configuration
sent "send('a@fail.example', mail('fail.example'))"
is "$(cat "$T/said")" '550 5.7.23 SPF: 127.0.0.1 may not send for fail.example, which explains: 127.0.0.1 is none of ours' 'spf = reject'
sent "send('', mail('none.example'), helo='fail.example')"
like "$(cat "$T/said")" '^550 5.7.23 SPF: 127.0.0.1 may not send for fail.example' 'the null sender is by its HELO name'
sent "send('a@soft.example', mail('none.example'), helo='fail.example')"
is "$(cat "$T/said") $(grep -c 'spf=fail.*smtp.helo=fail.example' "$T/top")" '250 2.0.0 Ok: 1' 'softfail is no fail, and HELO is not MAIL'
sent "send('a@fail.example', mail('fail.example'), rcpt='nobody@h.example')"
is "$(cat "$T/said")" '550 5.1.1 <nobody@h.example>: nobody is there' 'who is not there is not there'
sent "send('a@pass.example', mail('reject.example'))"
is "$(cat "$T/said") $(cat "$T/got")" '550 5.7.26 DMARC: neither SPF nor DKIM is aligned, and reject.example asks to refuse it ' 'dmarc = reject'
sent "send('a@pass.example', mail('quarantine.example'))"
is "$(cat "$T/said") $(grep -c '^X-Quarantine: dmarc$' "$T/top")" '250 2.0.0 Ok: 1' 'which a domain must ask for'
sent "send('a@pass.example', mail('none.example'))"
is "$(cat "$T/said") $(grep -c '^X-Quarantine' "$T/top")" '250 2.0.0 Ok: 0' 'or not'
ok 'ended' serve_stop
door 'dmarc = mark spf = off dkim = off' ''
for d in reject quarantine none; do
	sent "send('a@fail.example', mail('$d.example'))"
	is "$(cat "$T/said") $(grep -c '^X-Quarantine' "$T/top")" "250 2.0.0 Ok: $([ $d = none ] && echo 0 || echo 1)" "dmarc = mark: $d"
done
is "$(grep -c -e spf= -e dkim= "$T/top")" 0 'what is off is not told'
ok 'ended' serve_stop

# --- whose address counts: the client's, as a front end tells it
door 'front_ends = "127.0.0.1"' 'proxy = yes'
sent "send('a@front.example', mail('none.example'), first=b'PROXY TCP4 192.0.2.7 127.0.0.1 1 25\r\n')"
like "$(cat "$T/top")" 'spf=pass \(ip4:192.0.2.7 of front.example matches\)' 'the one in front of a proxy'
sent "send('a@front.example', mail('none.example'), first=b'PROXY UNKNOWN\r\n')"
is "$(cat "$T/said") $(grep -c 'spf=' "$T/top")" '250 2.0.0 Ok: 0' 'one that it does not know has none'
ok 'ended' serve_stop

# --- nobody is asked where nothing is wanted, or where nobody is a stranger
cp "$T/asked" "$T/asked.before"
door 'spf = off dkim = off dmarc = off' ''
sent "send('a@fail.example', mail('reject.example', 'Authentication-Results: h.example; dmarc=pass\n'))"
is "$(cat "$T/said") $(grep -ci '^auth' "$T/got")" '250 2.0.0 Ok: 0' 'all off: forged fields go all the same'
ok 'ended' serve_stop
serve_conf "resolver = \"127.0.0.1@$(cat "$T/dnsport")\"
route \"*\" { relay = \"127.0.0.1:9\" }
local \"h.example\" { addresses = \"$T/a\" }
serve { networks = \"127.0.0.1\" spf = reject dmarc = reject }
listen \"mx\" { auth = none }"
serve_start --as mx
sent "send('a@fail.example', mail('reject.example', 'Authentication-Results: h.example; dmarc=pass\n'))"
is "$(cat "$T/said") $(grep -ci '^auth' "$T/got")" '250 2.0.0 Ok: 1' 'a listed network is believed'
is "$(cmp "$T/asked" "$T/asked.before" && echo same)" same 'and nobody was asked'
ok 'ended' serve_stop
done_testing
