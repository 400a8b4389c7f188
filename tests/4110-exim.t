#!/bin/sh
# A real Exim as receiving server: STARTTLS, its own kind of replies, and its insistence on sync.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
exim_here || skip_all "$REASON"
need openssl perl

EXIM_PID=
trap 'exim_stop; cleanup' EXIT
chmod 755 "$T"
certificate "$T"
export RELAYKIT_QUEUE="$T/queue" RELAYKIT_CONFIG="$T/conf"

start() {
	d=$1
	exim_start "$d" "$T/cert.pem" "$T/key.pem" "${2-}" || exit 1
	printf 'hostname = "relay.example"\nroute "*" { relay = "127.0.0.1:%s" }\n' "$EXIM_PORT" >"$T/conf"
}
got() {
	exim_flush
	[ "$(find "$d/mail/new" -type f 2>/dev/null | wc -l)" -ge "$1" ]
}
event() {
	grep -h "\"type\":\"$1\"" "$RELAYKIT_QUEUE"/log/events-*.jsonl | grep -F "\"$2\"" | tail -1
}
send() {
	smtp-submit -odq -i -f a@sender.example "$@" && smtp-deliver
}

printf 'Subject: dots\n\n.\n..\n.leading\nthe end\n' >"$T/dots"
for mode in '*' '!*'; do
	start "$T/exim$mode" "$mode"
	rm -rf "$RELAYKIT_QUEUE"
	ok "chunking for $mode: a message with dots" send b@rcpt.example <"$T/dots"
	ok 'arrives' until_true 40 got 1
	is "$(sed '1,/^$/d' "$d"/mail/new/*)" "$(printf '.\n..\n.leading\nthe end')" 'as it was'
	like "$(cat "$d"/mail/new/*)" 'with esmtps' 'over TLS'
	like "$(event delivered b@rcpt.example)" '"code":250.*id=' "the event has the server's words"
	ok 'one of three is refused, one put off' send b@rcpt.example no@rcpt.example later@rcpt.example <"$T/dots"
	ok 'the third arrives' until_true 40 got 2
	like "$(event bounced no@rcpt.example)" '"code":550.*no such person' 'the refusal is told'
	like "$(event deferred later@rcpt.example)" '"code":451.*come back tomorrow' 'so is the deferral'
	is "$(grep -h 'synchronization error' "$d"/log/* | wc -l)" 0 'nothing was sent before its time'
	exim_stop
done
done_testing
