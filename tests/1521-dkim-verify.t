#!/bin/sh
# dkim-verify: the examples of the RFCs, options, output, exit codes.
. "$(dirname "$0")/lib.sh"
D=$TOP/tests/data/dkim

verify() { dkim-verify --keys "$D/keys" "$@"; }

# RFC 8463 A.3 and RFC 6376 A.2, as they stand there, with the keys that they publish.
out=$(verify <"$D/rfc8463.eml")
is "$? $out" '0 dkim=pass (256-bit key) header.d=football.example.com header.s=brisbane header.a=ed25519-sha256 header.b="/gCrinpc"
dkim=pass (1024-bit key, under the 2048 that RFC 8301 asks for) header.d=football.example.com header.s=test header.a=rsa-sha256 header.b=F45dVWDf' \
    'RFC 8463 A.3'
out=$(verify <"$D/rfc6376.eml")
is "$? $out" '0 dkim=pass (1024-bit key, under the 2048 that RFC 8301 asks for) header.d=example.com header.s=brisbane header.a=rsa-sha256 header.b=AuUoFEfD' \
    'RFC 6376 A.2'

# With LF or CRLF it is the same message; with a byte changed it is another one.
tr -d '\r' <"$D/rfc6376.eml" >"$T/lf"
ok 'LF instead of CRLF' verify <"$T/lf"
ok 'without the last line end' sh -c 'head -c -2 "$1" | dkim-verify --keys "$2"' sh "$D/rfc6376.eml" "$D/keys"
ok 'as an mbox has it' sh -c '{ echo "From joe Fri Jul 11 2003"; cat "$1"; } | dkim-verify --keys "$2"' sh "$D/rfc6376.eml" "$D/keys"
says() {
	code=$1 text=$2 what=$3
	shift 3
	out=$(verify "$@" <"$T/m" 2>&1)
	is "$? $out" "$code $text" "$what"
}
tail6376='header.d=example.com header.s=brisbane header.a=rsa-sha256 header.b=AuUoFEfD'
sed 's/We lost/We won!/' "$D/rfc6376.eml" >"$T/m"
says 1 "dkim=fail (body hash did not verify) $tail6376" 'another body'
sed 's/^To: Suzie/To: Susie/' "$D/rfc6376.eml" >"$T/m"
says 1 "dkim=fail (signature did not verify) $tail6376" 'another header'
sed 's/^To: /To:  /' "$D/rfc6376.eml" >"$T/m"
says 1 "dkim=fail (signature did not verify) $tail6376" 'simple does not survive white space'
sed 's/^To: Suzie Q/to :  Suzie\tQ  /; s/^Hi\./Hi.  /; s/Are you/Are  you/' "$D/rfc8463.eml" >"$T/m"
ok 'relaxed does' verify <"$T/m"
printf 'From: a@example.com\n\nhi\n' >"$T/m"
says 1 'dkim=none (message is not signed)' 'not signed'
: >"$T/m"
says 1 'dkim=none (message is not signed)' 'no message'

# --keys that say something else; the DNS that says nothing
cp "$D/rfc6376.eml" "$T/m"
key() {
	echo "brisbane._domainkey.example.com $1" >"$T/keys"
	out=$(dkim-verify --keys "$T/keys" <"$T/m" 2>&1)
	is "$? $out" "$2 dkim=$3 $tail6376" "the key: $1"
}
key NXDOMAIN 1 'permerror (no key for signature)'
key NODATA 1 'permerror (no key for signature)'
key SERVFAIL 75 'temperror (key unavailable: SERVFAIL)'
key TIMEOUT 75 'temperror (key unavailable: timed out)'
key 'TXT "v=DKIM1; p="' 1 'permerror (key revoked)'
key 'TXT "v=DKIM1; k=rsa; p=AAAA (x"' 1 'permerror (invalid key record: p= is no base64)'
: >"$T/keys"
out=$(dkim-verify --keys "$T/keys" <"$T/m")
is "$? $out" "1 dkim=permerror (no key for signature) $tail6376" 'a name that is not listed does not exist'
out=$(dkim-verify --overlay "$D/keys" --resolver 127.0.0.1@9 <"$T/m")
is "$?" 0 'an overlay answers for the DNS'
out=$(dkim-verify --overlay "$T/keys" --resolver 127.0.0.1@9 --timeout 1s <"$T/m")
is "$?" 75 'and what it does not have is asked for'

# What is printed
echo 'hostname = "mx.example.net"' >"$T/conf"
is "$(verify -C "$T/conf" --header <"$D/rfc8463.eml")" 'Authentication-Results: mx.example.net;
	dkim=pass (256-bit key) header.d=football.example.com header.s=brisbane header.a=ed25519-sha256 header.b="/gCrinpc";
	dkim=pass (1024-bit key, under the 2048 that RFC 8301 asks for) header.d=football.example.com header.s=test header.a=rsa-sha256 header.b=F45dVWDf' \
    'one header'
is "$(verify --json <"$D/rfc6376.eml")" '{"result":"pass","signatures":[{"result":"pass","reason":"1024-bit key, under the 2048 that RFC 8301 asks for","domain":"example.com","selector":"brisbane","identity":"joe@football.example.com","algorithm":"rsa-sha256","b":"AuUoFEfD","headers":"Received:From:To:Subject:Date:Message-ID","bits":1024,"testing":false}],"signatures_beyond":0}' \
    'one object'
out=$(verify --max-signatures 1 <"$D/rfc8463.eml")
is "$? $out" '0 dkim=pass (256-bit key) header.d=football.example.com header.s=brisbane header.a=ed25519-sha256 header.b="/gCrinpc"
dkim=policy (1 more signatures than the 1 that are looked at)' 'a limit'
sed 's/; t=1528637909/; t=1528637909; x=1528637910/' "$D/rfc8463.eml" >"$T/m"
like "$(verify --now 1528637911 <"$T/m")" '^dkim=policy \(signature expired 1 s ago\)' '--now'

# DMARC, with and without SPF
cp "$D/rfc6376.eml" "$T/m"
cat "$D/keys" - >"$T/keys" <<'END'
_dmarc.football.example.com TXT "v=DMARC1; p=quarantine; adkim=s"
example.com TXT "v=spf1 ip4:192.0.2.0/24 -all"
football.example.com TXT "v=spf1 ip4:192.0.2.0/24 -all"
END
pass="dkim=pass (1024-bit key, under the 2048 that RFC 8301 asks for) $tail6376"
dmarc() {
	what=$1 want=$2
	shift 2
	out=$(dkim-verify --keys "$T/keys" --dmarc "$@" <"$T/m" 2>&1)
	is "$? $out" "0 $pass
$want" "$what"
}
dmarc 'strict: example.com is not football.example.com' \
    'dmarc=fail (neither SPF nor DKIM is aligned; p=quarantine of football.example.com) header.from=football.example.com'
dmarc 'SPF is' 'spf=pass (ip4:192.0.2.0/24 of football.example.com matches) smtp.mailfrom=joe@football.example.com
dmarc=pass (SPF of football.example.com is aligned; p=quarantine of football.example.com) header.from=football.example.com' \
    --ip 192.0.2.1 --from joe@football.example.com
dmarc 'relaxed: above it' 'spf=pass (ip4:192.0.2.0/24 of example.com matches) smtp.mailfrom=joe@example.com
dmarc=fail (neither SPF nor DKIM is aligned; p=quarantine of football.example.com) header.from=football.example.com' \
    --ip 192.0.2.1 --from joe@example.com
cat "$D/keys" - >"$T/keys" <<'END'
_dmarc.example.com TXT "v=DMARC1; p=reject; sp=quarantine; pct=20"
END
dmarc "the organization's record: relaxed, and its sp=" \
    'dmarc=pass (DKIM of example.com is aligned; p=quarantine of example.com) header.from=football.example.com'
dmarc 'RFC 7489, by the public suffix list' \
    'dmarc=pass (DKIM of example.com is aligned; p=quarantine pct=20 of example.com) header.from=football.example.com' --psl
like "$(dkim-verify --keys "$T/keys" --dmarc --json <"$T/m")" '"dmarc":\{"result":"pass",.*"record_of":"example.com",.*"policy":"quarantine","disposition":"none"' \
    'as JSON'
{ echo 'From: x@example.org'; cat "$T/m"; } >"$T/m2"
like "$(dkim-verify --keys "$T/keys" --dmarc <"$T/m2")" '^dmarc=permerror \(the message has 2 From fields\)$' 'two From fields'

# Wrong use
fails 'an argument' 64 "dkim-verify: message: no argument is taken; the message is read from standard input
$(dkim-verify --help)" dkim-verify message
fails '--json and --header' 64 "$(dkim-verify --help)" dkim-verify --json --header
fails 'a limit of none' 64 'dkim-verify: --max-signatures: "0" is not a number from 1 to 1000' dkim-verify --max-signatures 0
fails 'SPF without DMARC' 64 'dkim-verify: --psl and --ip are for --dmarc' dkim-verify --ip 192.0.2.1
fails 'a sender without a client' 64 'dkim-verify: --helo and --from want --ip' dkim-verify --dmarc --from a@b.c
fails 'a client without a sender' 64 'dkim-verify: --ip wants --from, or --helo for an empty sender' \
    dkim-verify --dmarc --ip 192.0.2.1
fails 'no such file' 66 "dkim-verify: $T/no: no such file" dkim-verify --keys "$T/no"
head -c 4300000 /dev/zero | tr '\0' a >"$T/long"
fails 'a header without an end' 65 'dkim-verify: stdin: the header section has over 4194304 bytes' \
    sh -c 'dkim-verify --keys "$1" <"$2"' sh "$D/keys" "$T/long"
fails 'a full disk is not success' 75 'dkim-verify: stdout: No space left on device' \
    sh -c 'dkim-verify --keys "$1" <"$2" >/dev/full' sh "$D/keys" "$D/rfc6376.eml"

# A body of 64 MiB costs no memory.
{ cat "$D/rfc6376.eml"; head -c 67108864 /dev/zero | tr '\0' x | fold -w 70; } >"$T/m"
sanitized || ok 'memory does not grow with the body' sh -c 'ulimit -v 60000; dkim-verify --keys "$1" <"$2" | grep -q "body hash did not"' sh "$D/keys" "$T/m"
# Two signatures with the same b= of a megabyte: what tells them apart is not looked for byte by byte from the start.
for i in 1 2; do
	printf 'DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=r; h=from; bh=zS7KNTV0HyeorkDDGwxB1AV6enuRKzO5rthkhdHIRnY=; b='
	head -c 1000000 /dev/zero | tr '\0' A
	echo
done >"$T/alike"
printf 'From: a@example.com\n\nx\n' >>"$T/alike"
: >"$T/none"
out=$(timeout 5 dkim-verify --keys "$T/none" <"$T/alike")
is "$? $(echo "$out" | grep -c 'permerror (no key for signature)')" '1 2' 'two long signatures that are alike'
done_testing
