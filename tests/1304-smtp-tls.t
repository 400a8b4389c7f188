#!/bin/sh
# STARTTLS: used when offered, never a reason not to deliver, and nothing said before the handshake counts
# after it (RFC 3207).
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/rules.sh"
need openssl
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$T/key" -out "$T/crt" -days 2 -subj /CN=peer.test 2>/dev/null
cat "$T/key" "$T/crt" >"$T/pem"
peer_start peer --cert "$T/pem"

# tls_of: what the events say about TLS, the version alone; "-" for clear text
tls_of() {
	sed -n '/"type":"delivered"/p' "$RELAYKIT_QUEUE"/log/* |
	    sed -e '/"tls"/!s/.*/-/' -e 's/.*"tls":"\([^ "]*\)[^"]*".*/\1/'
}
# got MESSAGES TLS: delivered in the first attempt, each once
got() {
	is "$(outcomes | sed 's/@.*queued//')$(messages | cut -d ' ' -f 3)" "$1" "$what: delivered once"
	is "$(tls_of)" "$2" "$what: by ${2-}"
}

script <<'E'
offer PIPELINING, STARTTLS
E
letter u@x.example
run_all 'STARTTLS is offered'
got 'delivered utrue' TLS1.3
is "$(groups)" 'EHLO h.example
STARTTLS
EHLO h.example
MAIL FROM:<s@d.example> | RCPT TO:<u@x.example> | DATA
QUIT' 'EHLO again behind the handshake, then as ever'

script <<'E'
offer PIPELINING, STARTTLS, SIZE 10, CHUNKING, LIMITS RCPTMAX=1
tlsoffer PIPELINING, DSN
E
letter -N never u@x.example
run_all 'other keywords behind the handshake'
is "$(groups | tail -n 2 | head -n 1)" 'MAIL FROM:<s@d.example> | RCPT TO:<u@x.example> NOTIFY=NEVER ORCPT=rfc822;u@x.example | DATA' \
    'only those count: no SIZE, no CHUNKING, no limit, but DSN'

script <<'E'
offer PIPELINING, STARTTLS
STARTTLS raw 220 go\r\n250-peer.test\r\n250 X-INJECTED\r\n ; tls
MAIL 250 2.1.0 real
E
letter u@x.example
run_all 'replies behind the 220, in clear'
got 'delivered utrue' TLS1.3
like "$(grep -h '"type":"delivered"' "$RELAYKIT_QUEUE"/log/*)" 'early-data-discarded' 'they are thrown away, and told'

script <<'E'
offer PIPELINING, STARTTLS
EHLO#1 raw 250-peer.test\r\n250 STARTTLS\r\n220 go\r\n
E
letter u@x.example
run_all 'a 220 before STARTTLS was said'
like "$(outcomes)" '^deferred u@x.example 1 .*nothing asked for' 'is a deferral'
is "$(commands)" 'EHLO h.example' 'and no word of TLS'

for refusal in '454 4.7.0 not now' '501 5.5.4 syntax' '502 5.5.1 what' '250 2.0.0 ok'; do
	script <<-E
		offer PIPELINING, STARTTLS
		STARTTLS $refusal
	E
	letter u@x.example
	run_all "STARTTLS: $refusal"
	got 'delivered utrue' -
	is "$(connections)" 1 'over the same connection'
done

script <<'E'
offer PIPELINING, STARTTLS
STARTTLS 421 4.7.0 going ; close
E
letter u@x.example
run_all '421 to STARTTLS'
like "$(outcomes)" '^deferred u@x.example 1 421 4.7.0' 'concerns the connection'

# The handshake fails: the same attempt goes on in clear text, over another connection.
wait_s=3
configure
for failure in 'raw 220 go\r\n ; close' 'raw 220 go\r\n ; rst' 'raw 220 go\r\n ; raw garbage\r\n ; hang' \
    'raw 220 go\r\n ; raw \x16\x03\x01\x00\x02 ; hang' 'raw 220 go\r\n ; hang' 'close' \
    'raw 220 go\r\n ; raw \x15\x03\x03\x00\x02\x02\x28 ; hang' 'tlsbreak'; do
	if [ "$failure" = tlsbreak ]; then
		rule='EHLO#2 close'
	else
		rule="STARTTLS $failure"
	fi
	script <<-E
		offer PIPELINING, STARTTLS
		$rule
	E
	letter u@x.example
	letter v@x.example
	run_all "the handshake: $failure"
	case $failure in
	close) like "$(outcomes | head -n 1)" '^deferred' 'no 220: not the fault of TLS' ;;
	*)
		is "$(outcomes)" 'delivered u@x.example 1 250 2.0.0 queued
delivered v@x.example 1 250 2.0.0 queued' 'delivered in the same attempt'
		is "$(messages | cut -d ' ' -f 1,3,5)" '2 true <u@x.example>
2 true <v@x.example>' 'over a second connection'
		is "$(commands 2 | sed -n 2p | cut -d ' ' -f 1)" MAIL 'in clear text, not asking again' ;;
	esac
done

wait_s=20
configure 'tls = none'
script <<'E'
offer PIPELINING, STARTTLS
E
letter u@x.example
run_all 'tls = none'
got 'delivered utrue' -
is "$(commands | grep -c STARTTLS)" 0 'it is not asked for'
configure

# Connections used again, closed by the peer with and without close_notify.
for ending in 'dot#1 250 2.0.0 queued ; close' 'MAIL#2 close' 'MAIL#2 421 4.4.2 idle ; close' 'MAIL#2 rst'; do
	script <<-E
		offer PIPELINING, STARTTLS, CHUNKING
		$ending
	E
	letter u@x.example
	letter v@x.example
	run_all "TLS, $ending"
	is "$(outcomes)" 'delivered u@x.example 1 250 2.0.0 queued
delivered v@x.example 1 250 2.0.0 queued' 'the second over a fresh connection at once'
	is "$(messages | cut -d ' ' -f 1,3,5)" '1 true <u@x.example>
2 true <v@x.example>' 'each once'
done

# Content through TLS.
block_s=50 # whoever waited for it would be late
configure
QPUT=$BUILD/helpers/qput
if [ -x "$QPUT" ]; then
	{ printf 'Subject: x\r\n\r\n.\r\n'; head -c 1000000 /dev/zero | tr '\0' . | fold -w 70 | sed 's/$/\r/'; } >"$T/big"
	printf '\n' >>"$T/big"
	{ printf 'Subject: x\r\n\r\n'; head -c 8000000 /dev/zero | tr '\0' x; } >"$T/huge" # fits into no socket
	for offer in PIPELINING 'PIPELINING, CHUNKING'; do
		script <<-E
			offer STARTTLS, $offer
		E
		"$QPUT" "$RELAYKIT_QUEUE" -d x.example u@x.example <"$T/big" >/dev/null
		run_all "1 MB of dots, $offer"
		ok 'arrive' cmp "$T/big" "$T/peer/1.1.eml"
		script <<-E
			offer STARTTLS, $offer
			part=100000 552 5.3.4 too much ; deaf
		E
		"$QPUT" "$RELAYKIT_QUEUE" -d x.example u@x.example <"$T/huge" >/dev/null
		begun=$(date +%s)
		run_all "refused before the end, $offer"
		is "$(outcomes)" 'bounced u@x.example 1 552 5.3.4 too much' 'is believed'
		ok 'at once' test $(($(date +%s) - begun)) -lt 45
	done
fi
done_testing
