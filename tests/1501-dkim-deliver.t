#!/bin/sh
# smtp-deliver signs what it sends, however it is sent, and never sends what it cannot sign.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/dkim.sh"
need openssl
umask 077
cd "$T" || exit 1
openssl genrsa -out r.pem 2048 2>/dev/null
openssl genpkey -algorithm ed25519 -out e.pem
publish r example.com r.pem
publish e example.com e.pem
publish p provider.example e.pem
cat >c <<C
notices { bounce = none }
dkim "example.com/r" { key = "$T/r.pem" }
dkim "example.com/e" { key = "$T/e.pem" canonicalization = "simple/simple" }
dkim "provider.example/p" { key = "$T/e.pem" for = "example.com" }
C
submit() {
	smtp-submit -C c --queue q -odq "$@"
}
deliver() {
	smtp-deliver -v -C c --queue q --relay "127.0.0.1:$PORT" "$@" >out 2>err
}
# got WHAT: one message came, with three good signatures, and the rest as it was queued
got() {
	set -- "$1" trap/new/*
	[ $# -eq 2 ] && [ -f "$2" ]
	result $? "$1: one message came" || return
	sed '/^X-Envelope-From: /d; /^X-Envelope-To: /d; /^X-Trap-[A-Z][a-z]*: /d' "$2" >m.eml
	is "$(grep -c '^DKIM-Signature: ' m.eml)" 3 "$1: three signatures in front"
	if [ -n "$PYTHON" ]; then
		is "$(by_dkimpy m.eml)" 'pass pass pass' "$1: dkimpy verifies them"
	else
		result 0 "$1: dkimpy verifies them # SKIP no dkimpy"
	fi
	tr -d '\r' <m.eml | sed -n "/^Received: by /,\$p" | sed '1,/^$/d' | cmp -s - "$body"
	result $? "$1: the body is as it was"
	rm -f trap/new/*
}
printf '.first\n..second\nFrom me\n\nlast\n.\n' >small
{ cat small; head -c 300000 /dev/zero | tr '\0' a | fold -w 75; printf '\n.\n.end\n'; } >big
printf 'no last line end' >noend

one() {
	what=$1 body=$2
	shift 2
	trap_start "$@"
	{ printf 'From: Ann <ann@example.com>\nSubject: x\n\n'; cat "$body"; } | submit -i bob@example.org
	deliver
	is "$? $(cat err out)" '0 delivered 1 deferred 0 failed 0 expired 0' "$what: delivered"
	[ "$body" = noend ] && { cat noend; echo; } >noend+ && body=noend+
	got "$what"
	kill $trap_pid
}
one 'BDAT in one write' small
one 'BDAT from a file' big
one 'BDAT without PIPELINING' small --no-pipelining
one 'DATA' small --no-chunking
one 'DATA from a file' big --no-chunking
one 'DATA without PIPELINING' big --no-chunking --no-pipelining
one 'no last line end' noend --no-chunking
one 'over TLS' big --tls

# SIZE is that of the whole: a limit between the two sizes is told before anything is sent
trap_start --size-limit 1500
{ printf 'From: ann@example.com\nSubject: x\n\n'; head -c 700 /dev/zero | tr '\0' a; } | submit bob@example.org
deliver
is "$(cat out)" 'delivered 0 deferred 0 failed 1 expired 0' 'the signature counts in SIZE'
grep -q 'message is larger than the server takes' q/log/*
result $? 'and that is why'
kill $trap_pid
rm -rf q

# two destinations of one message carry the same signature
trap_start
printf 'From: ann@example.com\nSubject: x\n\nhello\n' | submit a@one.example b@two.example
cat >>c <<C
route "one.example" { relay = "127.0.0.1:$PORT" }
route "two.example" { relay = "localhost:$PORT" }
C
smtp-deliver -v -C c --queue q >out 2>err
is "$(cat out)" 'delivered 2 deferred 0 failed 0 expired 0' 'to two sites'
is "$(grep -h '^ *b=\|b=[A-Za-z0-9+/]*$' trap/new/* | sort -u | wc -l)" \
    "$(grep -h '^ *b=\|b=[A-Za-z0-9+/]*$' "$(ls trap/new/* | head -1)" | sort -u | wc -l)" 'the same signatures'
rm -f trap/new/*

# what cannot be signed
printf 'From: ann@example.net\nSubject: x\n\nhello\n' | submit a@one.example
smtp-deliver -v -C c --queue q >out 2>err
is "$? $(cat out)" '0 delivered 0 deferred 1 failed 0 expired 0' 'no key: it waits'
is "$(ls trap/new | wc -l)" 0 'and nothing came'
like "$(smtp-queue -C c --queue q why a@one.example)" '4\.7\.5 not signed: no key for example\.net' 'and says why'
printf 'From: ann@example.com\nSubject: x\n\nhello\n' | submit a@one.example
smtp-deliver -v -C c --queue q --now >out 2>err
is "$(cat out)" 'delivered 1 deferred 1 failed 0 expired 0' 'what can be signed goes past it'
echo 'dkim_unsigned = "example.net"' >>c
smtp-deliver -v -C c --queue q --now >out 2>err
is "$(cat out)" 'delivered 1 deferred 0 failed 0 expired 0' 'unless it may go unsigned'
printf 'From: ann@other.example\nSubject: x\n\nhello\n' | submit a@one.example
smtp-deliver -v -C c --queue q --now >out 2>err
is "$(cat out)" 'delivered 0 deferred 1 failed 0 expired 0' 'which only that domain may'
# a directory of keys, read before the process is confined
mkdir -p keys/other.example
cp e.pem keys/other.example/o.pem
echo "dkim_keydir = \"$T/keys\"" >>c
smtp-deliver -v -C c --queue q --now >out 2>err
is "$(cat out)" 'delivered 1 deferred 0 failed 0 expired 0' 'a key of a directory'
cat trap/new/* | tr -d '\r\n' | grep -q 'd=other.example; s=o;'
result $? 'signs'
before=$(ls trap/new | wc -l)
rm e.pem
printf 'From: ann@example.com\nSubject: x\n\nhello\n' | submit a@one.example
smtp-deliver -v -C c --queue q --now >out 2>err
is "$? $(cat out err)" "66 smtp-deliver: dkim \"example.com/e\": key $T/e.pem: No such file or directory" \
    'a key that is not there: no run'
is "$(ls trap/new | wc -l)" "$before" 'and nothing is sent'
done_testing
