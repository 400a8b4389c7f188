#!/bin/sh
# What others sign we verify: dkimpy, Mail::DKIM and OpenDKIM sign odd messages in every
# canonicalization and with every kind of key they know; each passes here, and not with a byte changed.
# (rsa-sha1, which OpenDKIM's tester makes, never does.)
. "$(dirname "$0")/lib.sh"
need openssl

PY=
for p in python3 /usr/bin/python3; do
	"$p" -c 'import dkim' 2>/dev/null && PY=$p && break
done
mkdir "$T/in" "$T/out"
openssl genrsa -traditional -out "$T/rsa.pem" 2048 2>/dev/null || openssl genrsa -out "$T/rsa.pem" 2048 2>/dev/null ||
    skip_all 'openssl makes no keys here'
echo "r._domainkey.example.com TXT \"v=DKIM1; k=rsa; p=$(openssl rsa -in "$T/rsa.pem" -pubout -outform DER 2>/dev/null | base64 -w0)\"" >"$T/keys"
openssl genpkey -algorithm ed25519 -out "$T/ed.pem" 2>/dev/null
tail32() { tail -c 32 | base64 -w0; }
echo "e._domainkey.example.com TXT \"v=DKIM1; k=ed25519; p=$(openssl pkey -in "$T/ed.pem" -pubout -outform DER | tail32)\"" >>"$T/keys"
openssl pkey -in "$T/ed.pem" -outform DER | tail32 >"$T/ed.raw"

# Odd messages, CRLF.
h='From: "Ann, of A." <ann@example.com>\r\nTo: bob@example.net,\r\n\tcarol@example.net\r\nSubject:  two  spaces \t and tab\r\nDate: Sun, 22 Nov 2026 04:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n'
m() { printf "$2" >"$T/in/$1"; }
m plain "$h\r\nHello.\r\n"
m spaces "$h\r\nHello  there \t\r\n \r\n\tx \r\n\r\n\r\n"
m empty-body "$h\r\n"
m only-line-ends "$h\r\n\r\n\r\n\r\n"
m only-spaces "$h\r\n  \r\n\t\r\n"
m no-last-end "$h\r\nno end"
m dots "$h\r\n.\r\n..\r\n.x\r\n"
m utf8 "Subject: J\303\274rgen\r\n$h\r\n\303\244\303\266\303\274 \377\376 8-bit\r\n"
m twice "Received: a\r\nReceived: b\r\nX-A: 1\r\nx-a:2\r\nX-A : 3\r\n$h\r\nfields that repeat\r\n"
m folded "$h""X-Long:\r\n a\r\n \tb\r\n   c  \r\n\r\nfolded\r\n"
{ printf "$h\r\n"; head -c 5000 /dev/zero | tr '\0' y; printf '\r\n'; } >"$T/in/long-line"
{ printf "$h\r\n"; head -c 300000 /dev/zero | tr '\0' ' ' | fold -w 77 | sed 's/$/\r/'; echo; } >"$T/in/many-spaces"

# judge SIGNER: all in $T/out/SIGNER.*
judge() {
	n=0 bad=
	for f in "$T/out/$1".*; do
		[ -s "$f" ] || continue
		n=$((n + 1))
		dkim-verify --keys "$T/keys" <"$f" >"$T/said" 2>&1 || bad="$bad ${f##*/}: $(cat "$T/said");"
		# with LF, as many tools hand it on
		tr -d '\r' <"$f" | dkim-verify --keys "$T/keys" >/dev/null || bad="$bad ${f##*/} with LF;"
		# another byte, in what is signed whatever the canonicalization
		sed 's/<ann@/<amn@/' "$f" | dkim-verify --keys "$T/keys" >/dev/null && bad="$bad ${f##*/} with another From;"
		{ cat "$f"; printf 'more'; } | dkim-verify --keys "$T/keys" >/dev/null && bad="$bad ${f##*/} with more body;"
	done
	is "$bad" '' "$1: $n messages"
	[ "$n" -ge "$2" ]
	result $? "$1: as many as there should be"
}

if [ -n "$PY" ]; then
	"$PY" - "$T" <<'END'
import base64, os, sys, dkim
t = sys.argv[1]
rsa = open(t + "/rsa.pem", "rb").read()
ed = open(t + "/ed.raw", "rb").read()
for name in os.listdir(t + "/in"):
    message = open(t + "/in/" + name, "rb").read()
    for h in (b"simple", b"relaxed"):
        for b in (b"simple", b"relaxed"):
            for selector, key, alg in ((b"r", rsa, b"rsa-sha256"), (b"e", ed, b"ed25519-sha256")):
                try:
                    s = dkim.sign(message, selector, b"example.com", key, canonicalize=(h, b), signature_algorithm=alg,
                                  identity=b"@sub.example.com" if h == b else None)
                except Exception as e:
                    if alg == b"rsa-sha256":
                        print("# dkimpy: %s: %r" % (name, e))
                    continue
                with open("%s/out/dkimpy.%s.%s.%s.%s" % (t, name, h.decode(), b.decode(), selector.decode()), "wb") as f:
                    f.write(s + message)
END
	judge dkimpy 40
else
	result 0 'dkimpy # SKIP python3-dkim is not here'
fi

if perl -MMail::DKIM::Signer -e 1 2>/dev/null; then
	perl - "$T" <<'END'
use strict; use Mail::DKIM::Signer;
my $t = shift;
for my $in (glob "$t/in/*") {
	(my $name = $in) =~ s|.*/||;
	open my $f, '<:raw', $in or die; my $message = do { local $/; <$f> };
	for my $c (qw(simple simple/relaxed relaxed relaxed/simple relaxed/relaxed)) {
		# It adds no CRLF where the body ends without one, as RFC 6376 3.4.3 asks for.
		next if $name eq 'no-last-end' && $c !~ m|/relaxed|;
		my $s = Mail::DKIM::Signer->new(Algorithm => 'rsa-sha256', Method => $c, Domain => 'example.com',
		    Selector => 'r', KeyFile => "$t/rsa.pem", Headers => 'x-a:x-a:x-a:x-none');
		$s->PRINT($message); $s->CLOSE;
		(my $as = $c) =~ tr|/|-|;
		open my $o, '>:raw', "$t/out/Mail-DKIM.$name.$as" or die;
		print $o $s->signature->as_string, "\r\n", $message;
	}
}
END
	judge Mail-DKIM 40
else
	result 0 'Mail::DKIM # SKIP libmail-dkim-perl is not here'
fi

if command -v opendkim-testmsg >/dev/null 2>&1; then
	for f in "$T"/in/*; do
		opendkim-testmsg -C -d example.com -s r -k "$T/rsa.pem" -t "$T" <"$f" >"$T/out/OpenDKIM.${f##*/}" 2>"$T/err" ||
		    { echo "# OpenDKIM: ${f##*/}: $(cat "$T/err")"; rm -f "$T/out/OpenDKIM.${f##*/}"; }
	done
	# Its tester knows rsa-sha1 alone, which RFC 8301 lets nobody accept, however right.
	n=0 bad=
	for f in "$T"/out/OpenDKIM.*; do
		n=$((n + 1))
		dkim-verify --keys "$T/keys" <"$f" >"$T/said"
		[ "$? $(cut -d' ' -f1-7 "$T/said")" = '1 dkim=permerror (rsa-sha1 is no signature, says RFC' ] ||
		    bad="$bad ${f##*/}: $(cat "$T/said");"
	done
	is "$bad" '' "OpenDKIM: none of $n signatures with rsa-sha1 passes"
	[ "$n" -ge 8 ]
	result $? 'OpenDKIM: as many as there should be'
else
	result 0 'OpenDKIM # SKIP opendkim-testmsg is not here'
fi
done_testing
