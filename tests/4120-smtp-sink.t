#!/bin/sh
# Postfix's smtp-sink with the misbehaviours it offers: each is told as what it is, and mail survives.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
[ -f "$PEERS/postfix/libpath" ] || skip_all 'no Postfix in build/peers: scripts/peers postfix'
need perl

POSTFIX_DIR=$T
export RELAYKIT_QUEUE="$T/queue" RELAYKIT_CONFIG="$T/conf"
mkdir "$T/caught"
user=
if [ "$(id -u)" -eq 0 ]; then
	user="-u $POSTFIX_USER"
	chmod 755 "$T"
	chown "$POSTFIX_USER" "$T/caught"
fi

# sink [OPTION...]: listens on a port of its own and writes what it gets to one file each
sink() {
	port=$(free_port)
	cd "$T/caught" || exit 1
	# shellcheck disable=SC2086 # an option and its value, or nothing
	LD_LIBRARY_PATH=$(cat "$PEERS/postfix/libpath") "$PEERS/postfix/usr/sbin/smtp-sink" $user \
	    -d "%M." "$@" "127.0.0.1:$port" 100 2>"$T/sink.err" &
	sink_pid=$!
	cd "$TOP" || exit 1
	bg_pids="$bg_pids $sink_pid"
	printf 'hostname = "relay.example"\nnotices { bounce = none }\nroute "*" { relay = "127.0.0.1:%s" }\n' "$port" >"$T/conf"
	# A sink that greets with 4xx, or hangs up, is there all the same.
	until_true 40 perl -MIO::Socket::INET -e \
	    'exit !IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => shift)' "$port"
	rm -rf "$RELAYKIT_QUEUE"
	find "$T/caught" -type f -delete
}
sink_end() {
	kill "$sink_pid"
	wait "$sink_pid" 2>/dev/null
}
event() {
	grep -h "\"type\":\"$1\"" "$RELAYKIT_QUEUE"/log/events-*.jsonl | tail -1
}
send() {
	printf 'Subject: sink\n\n.one\ntwo\n' | smtp-submit -odq -f a@sender.example b@rcpt.example &&
	    timeout 30 smtp-deliver
}
waiting() {
	find "$RELAYKIT_QUEUE/new" "$RELAYKIT_QUEUE/cur" -type f | wc -l
}
# puts_off WHAT PATTERN OPTION...: a deferral, with the reason, and the message stays
puts_off() {
	what=$1 pattern=$2
	shift 2
	sink "$@"
	ok "$what: a run ends by itself" send
	like "$(event deferred)" "$pattern" "$what: deferred with the reason"
	is "$(waiting)" 1 "$what: the message stays"
	is "$(find "$RELAYKIT_QUEUE/failed" -type f | wc -l)" 0 "$what: and has not failed"
	sink_end
}
# refuses WHAT PATTERN OPTION...: a permanent failure
refuses() {
	what=$1 pattern=$2
	shift 2
	sink "$@"
	ok "$what: a run ends by itself" send
	like "$(event bounced)" "$pattern" "$what: bounced with the reason"
	is "$(waiting)" 0 "$what: nothing waits"
	is "$(find "$RELAYKIT_QUEUE/failed" -type f | wc -l)" 1 "$what: kept in failed"
	sink_end
}

sink
ok 'a plain one' send
is "$(waiting)" 0 'takes the message'
is "$(sed '1,/^$/d' "$T"/caught/*)" "$(printf '.one\ntwo')" 'as it was'
sink_end

sink -e
ok 'HELO only' send
is "$(waiting)" 0 'takes the message too'
sink_end
sink -p
ok 'no PIPELINING' send
is "$(waiting)" 0 'takes the message too'
sink_end

refuses 'MAIL refused' '"code":500' -f mail
refuses 'RCPT refused' '"code":500' -f rcpt
refuses 'DATA refused' '"code":500' -f data
refuses 'the message refused' '"code":500' -f .
puts_off 'greeting 4xx' '"code":450|"code":421' -r connect
puts_off 'MAIL put off' '"code":450' -r mail
puts_off 'RCPT put off' '"code":450' -r rcpt
puts_off 'DATA put off' '"code":450' -r data
puts_off 'the message put off' '"code":450' -r .
puts_off 'hangs up when connected' 'closed|reset' -q connect
puts_off 'hangs up at MAIL' 'closed|reset' -q mail
puts_off 'hangs up at RCPT' 'closed|reset' -q rcpt
puts_off 'hangs up at DATA' 'closed|reset' -q data
puts_off 'hangs up after the dot' 'closed|reset' -q .
done_testing
