#!/bin/sh
# LMTP as the last step, RFC 2033: LHLO and nothing else, a reply for each recipient behind the content,
# each of which may be another; over a socket in a file and over the net.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/rules.sh"

deliver() {
	timeout 60 smtp-deliver $sandbox "$@" >"$T/run.out" 2>&1
}
mkdir "$T/peer"
peer_start peer --lmtp --unix "$T/peer/sock"
to_socket() { configure 'route "x.example" { lmtp = "unix:'"$T/peer/sock"'" }'; }
to_socket
ends() { # WANT WHAT: what became of each recipient of one message to three, in order
	letter a@x.example b@x.example c@x.example
	run_all "$2: the run"
	is "$(outcomes | sort -k2 | sed "s/@x.example//; s/ *\$//; s|$T/peer/sock|SOCK|")" "$1" "$2"
}

# --- everything taken
script </dev/null
ends 'delivered a 1 250 2.0.0 queued
delivered b 1 250 2.0.0 queued
delivered c 1 250 2.0.0 queued' 'three recipients, three replies'
size=$((238 + $(id -u | wc -c))) # Received tells the uid
is "$(commands)" "LHLO h.example
MAIL FROM:<s@d.example> SIZE=$size
RCPT TO:<a@x.example>
RCPT TO:<b@x.example>
RCPT TO:<c@x.example>
BDAT $size LAST
QUIT" 'in one transaction'
is "$(connections)" 1 'over one connection'
is "$(places)" '' 'nothing is left'
is "$(cat "$RELAYKIT_QUEUE"/log/*.jsonl | sed -n 's/.*"type":"delivered".*"site":"\([^"]*\)".*/\1/p' | sort -u)" lmtp:x.example \
    'the site is the route'
like "$(cat "$RELAYKIT_QUEUE"/log/*.jsonl)" "\"addr\":\"unix:$T/peer/sock\"" 'the peer is the socket'

# --- different fates
for offer in 'PIPELINING, ENHANCEDSTATUSCODES, CHUNKING' 'PIPELINING, ENHANCEDSTATUSCODES' ''; do
	script <<-E
		offer $offer
		dot=b@x 452 4.2.2 mailbox full
		dot=c@x 550 5.7.1 not for c
	E
	ends 'delivered a 1 250 2.0.0 queued
deferred b 1 452 4.2.2 mailbox full
bounced c 1 550 5.7.1 not for c' "each its own, with: ${offer:-nothing}"
	is "$(places)" 'cur 1' 'one recipient waits'
	put_off
	echo "offer $offer" >"$T/peer/script.new"
	mv "$T/peer/script.new" "$T/peer/script"
	rm -f "$T/peer/log"
	run_all 'the second attempt' --now
	like "$(messages)" '^1 (DATA|BDAT) true <s@d.example> <b@x.example>$' 'is for that one alone'
	# Refusals at RCPT have no reply behind the content.
	script <<-E
		offer $offer
		RCPT=a@x 550 5.1.1 no a
		dot=b@x 250 2.1.5 b has it
		dot=c@x 451 4.3.0 c not now
	E
	ends 'bounced a 1 550 5.1.1 no a
delivered b 1 250 2.1.5 b has it
deferred c 1 451 4.3.0 c not now' "a refusal at RCPT, with: ${offer:-nothing}"
	script <<-E
		offer $offer
		RCPT 550 5.1.1 nobody
	E
	ends 'bounced a 1 550 5.1.1 nobody
bounced b 1 550 5.1.1 nobody
bounced c 1 550 5.1.1 nobody' "nobody is taken, with: ${offer:-nothing}"
	is "$(connections)" 1 'no connection is lost by it'
done

# --- odd servers
script <<'E'
offer PIPELINING
RCPT 550 5.1.1 nobody
DATA 354 go on all the same
E
ends 'bounced a 1 550 5.1.1 nobody
bounced b 1 550 5.1.1 nobody
bounced c 1 550 5.1.1 nobody' '354 where nobody was taken'
is "$(messages)" '1 DATA false <s@d.example> ' 'no message comes of it'
script <<'E'
LHLO 500 5.5.1 this is SMTP
E
ends 'deferred a 1 500 4.4.1 unix:SOCK: LHLO: 500 5.5.1 this is SMTP
deferred b 1 500 4.4.1 unix:SOCK: LHLO: 500 5.5.1 this is SMTP
deferred c 1 500 4.4.1 unix:SOCK: LHLO: 500 5.5.1 this is SMTP' 'no LHLO'
is "$(commands | grep -c '^[EH]')" 0 'neither EHLO nor HELO is tried'
script <<'E'
dot=b@x close
E
ends 'delivered a 1 250 2.0.0 queued
deferred b 1  4.4.2 end of data: connection closed by peer
deferred c 1  4.4.2 end of data: connection closed by peer' 'gone behind the first reply'
script <<'E'
dot=c@x hang
E
final_s=2
to_socket
ends 'delivered a 1 250 2.0.0 queued
delivered b 1 250 2.0.0 queued
deferred c 1  4.4.2 end of data: timed out' 'two replies for three'
final_s=20
to_socket
script <<'E'
dot=b@x 421 4.3.2 shutting down
E
ends 'delivered a 1 250 2.0.0 queued
deferred b 1 421 4.3.2 shutting down
deferred c 1 421 4.3.2 shutting down' '421 is for all that follow'
script <<'E'
dot=a@x 354 what
E
ends 'deferred a 1  4.4.2 unexpected reply 354 to the end of data
deferred b 1  4.4.2 unexpected reply 354 to the end of data
deferred c 1  4.4.2 unexpected reply 354 to the end of data' 'a reply that is none'
script <<'E'
dot=c@x raw 250 2.0.0 c\r\n250 2.0.0 one more\r\n
E
ends 'delivered a 1 250 2.0.0 queued
delivered b 1 250 2.0.0 queued
delivered c 1 250 2.0.0 c' 'four replies for three'
script <<'E'
dot#1 raw 250-2.0.0 one\r\n250 2.0.0 reply\r\n
E
ends 'delivered a 1 250 2.0.0 one\nreply
delivered b 1 250 2.0.0 queued
delivered c 1 250 2.0.0 queued' 'a reply of two lines is one reply'

# --- what one recipient was told counts, whatever trouble another message's journal has meanwhile
script <<'E'
dot=b@x hang
E
peer_start other
final_s=2
configure 'route "x.example" { lmtp = "unix:'"$T/peer/sock"'" }' 'route "y.example" { relay = "127.0.0.1:'"$PORT"'" }'
letter a@x.example b@x.example
{ cat "$T/letter"; yes 'a message that is larger than a file may be' | head -n 5000; } |
    smtp-submit -odq -f s@d.example u@y.example
(trap '' XFSZ; ulimit -f 200; exec timeout 60 smtp-deliver $sandbox) >"$T/run.out" 2>&1
is "$? $(sed 's/journal [^:]*:/journal:/' "$T/run.out")" '75 smtp-deliver: journal: write: File too large' 'a journal that cannot be written'
is "$(outcomes | sort -k2)" 'delivered a@x.example 1 250 2.0.0 queued
deferred b@x.example 1  4.4.2 end of data: timed out' 'the other message has its outcomes'
put_off
rm -f "$T/peer/log"
echo 'offer' >"$T/peer/script.new"
mv "$T/peer/script.new" "$T/peer/script"
timeout 60 smtp-deliver $sandbox --now >"$T/run.out" 2>&1
is "$(messages)" '1 DATA true <s@d.example> <b@x.example>' 'who has it gets it no second time'
final_s=20
to_socket

# --- parameters go through
script </dev/null
printf 'From: a@d.example\nSubject: \303\274\n\n\303\244\n' |
    smtp-submit -odq -f s@d.example -N success -R hdrs "$(printf 'gr\303\274n@x.example')"
run_all 'extensions'
like "$(commands)" '^MAIL FROM:<s@d.example> SIZE=[0-9]* BODY=8BITMIME .*RET=HDRS' '8BITMIME and DSN'
like "$(commands)" '^RCPT TO:.* NOTIFY=SUCCESS' 'NOTIFY'

# --- nobody there
configure 'route "x.example" { lmtp = "unix:'"$T/none"'" }'
letter a@x.example
run_all 'no socket'
like "$(outcomes | tail -n 1)" "^deferred a@x.example 1  4.4.1 unix:$T/none: connect unix:$T/none: No such file" 'it waits'

# --- over the net: port 24 is the default, and the hosts are tried in order
mkdir "$T/net"
peer_start net --lmtp
configure 'route ".x.example" { lmtp = "127.0.0.1:1, 127.0.0.1:'"$PORT"'" }'
script net </dev/null
letter a@x.example b@sub.x.example
run_all 'over the net'
is "$(outcomes | sort -k2)" 'delivered a@x.example 1 250 2.0.0 queued
delivered b@sub.x.example 1 250 2.0.0 queued' 'two domains of one route'
is "$(messages net | wc -l)" 1 'in one transaction'
configure 'route "x.example" { lmtp = "127.0.0.1" }'
is "$(mx-lookup x.example)" '0 127.0.0.1:24 127.0.0.1  may' 'mx-lookup names it'
is "$(mx-lookup --site x.example)" lmtp:x.example 'and its site'
configure 'route "x.example" { lmtp = "unix:/run/lmtp" }'
is "$(mx-lookup --hosts x.example)" '0 unix:/run/lmtp' 'a socket'

# --- signing is for what goes on
dkim-keygen --help >/dev/null 2>&1 && {
	openssl genpkey -algorithm ed25519 -out "$T/key.pem" 2>/dev/null
	chmod 600 "$T/key.pem"
	configure "route \"x.example\" { lmtp = \"unix:$T/peer/sock\" }" \
	    "dkim \"d.example/s1\" { key = \"$T/key.pem\" }"
	script </dev/null
	letter a@x.example
	printf 'From: a@nokey.example\n\nx\n' | smtp-submit -odq -f s@d.example b@x.example
	run_all 'with a key'
	is "$(outcomes | sort -k2)" 'delivered a@x.example 1 250 2.0.0 queued
delivered b@x.example 1 250 2.0.0 queued' 'what could not be signed is delivered too'
	is "$(cat "$T"/peer/*.eml | grep -ci dkim-signature)" 0 'nothing is signed'
}
done_testing
