#!/bin/sh
# What goes first.  Not by the clock alone: by the order in which the other side got it, which is in the
# trap's log, and the trap's latency makes the time.
. "$(dirname "$0")/lib.sh"

need python3
# Where there is a disk in memory: this is about order, not about durability.
[ -d /dev/shm ] && [ -w /dev/shm ] && { rm -rf "$T"; T=$(mktemp -d /dev/shm/relaykit-test.XXXXXX) || exit 1; HOME=$T; export T HOME; }
PATH=$BUILD/helpers:$PATH
case $BUILD in *sanitize* | *tsan*) sandbox=--no-sandbox ;; *) sandbox= ;; esac
export RELAYKIT_QUEUE="$T/q" RELAYKIT_CONFIG="$T/conf"
q=$T/q
printf 'Subject: x\r\n\r\nbody\r\n' >"$T/m"
put() { qput "$q" "$@" <"$T/m" >/dev/null; }

# sink LATENCY: a trap at two ports, the relays of a.example and b.example
sink() {
	[ -z "${sink_pid:-}" ] || { kill "$sink_pid"; wait "$sink_pid" 2>/dev/null; }
	rm -f "$T/port" "$T/log"
	bg smtp-trap --listen 127.0.0.1:0 --listen 127.0.0.1:0 --port-file "$T/port" -v --log "$T/log" \
	    --latency "$1" >/dev/null 2>"$T/ports"
	sink_pid=$!
	until_true 40 test -s "$T/port" || { echo 'Bail out! smtp-trap did not start'; exit 1; }
	A=$(sed -n '1s/.*://p' "$T/ports")
	B=$(sed -n '2s/.*://p' "$T/ports")
}
# conf LINE...: the configuration, beside the routes
conf() {
	{
		printf 'hostname = h.example\ndelivery = queue\n'
		printf 'route "a.example" { relay = "127.0.0.1:%s" }\nroute "b.example" { relay = "127.0.0.1:%s" }\n' "$A" "$B"
		for l; do echo "$l"; done
	} >"$RELAYKIT_CONFIG"
}
fresh() {
	rm -rf "$q"
	log_from=$(cat "$T/log" 2>/dev/null | wc -l)
}
# order: the recipients, as they arrived
order() {
	tail -n +$((log_from + 1)) "$T/log" | sed -nE 's/.*"rcpt":"<?([^">]*).*"outcome":"accepted".*/\1/p'
}
took() { order | wc -l; }
took_least() { [ "$(took)" -ge "$1" ]; }
# place TEXT: of the first that has it, 0 if none
place() { order | grep -Fn -m 1 -e "$1" | cut -d : -f 1 | grep . || echo 0; }
has() { [ "$(place "$1")" -gt 0 ]; }
# among N TEXT: how many of the first N have it
among() { order | head -n "$1" | grep -Fc -e "$2"; }
between() { ok "$4: $1 <= $2 <= $3" test "$2" -ge "$1" -a "$2" -le "$3"; }
start() {
	smtp-deliver $sandbox "$@" >"$T/run.out" 2>&1 &
	run=$!
	bg_pids="$bg_pids $run"
}
stop() {
	kill $run
	wait $run
	is "$?$(cat "$T/run.out")" 0 'the run ends well'
}

# --- one of stream "mail" behind thousands of "bulk"

bulk=4000
sink 50
for mode in '' --follow; do
	for to in a b; do # to the same site as bulk; to another
		w="${mode:-one run}, mail to ${to}"
		fresh
		conf 'connections = 4' 'site_connections = 4'
		put -n $bulk -s bulk -d a.example bulk@a.example
		put -s mail -d $to.example "first@$to.example"
		# shellcheck disable=SC2086
		start $mode
		until_true 30 took_least 40
		between 1 "$(place first@)" 16 "$w: it was there when the run began: its place"
		printf 'Subject: x\n\nx\n' | smtp-submit -odq -f s@h.example "second@$to.example"
		queued=$(took)
		until_true 30 has second@
		behind=$(($(place second@) - queued))
		ok "$w: it came later: $behind went before it since it was queued" test $behind -le 100
		stop
		[ "$(find "$q/new" "$q/cur" -type f | wc -l)" -gt $((bulk / 2)) ]
		result $? "$w: most of the bulk still waits"
	done
done

# A whole burst of mail: bulk goes on beside it, by its weight.
sink 0
fresh
conf 'connections = 1'
put -n 500 -s bulk -d a.example bulk@a.example
put -n 500 -s mail -d a.example mail@a.example
start
wait $run
is $? 0 '500 of bulk, 500 of mail, one connection'
is "$(took)" 1000 'all arrive'
between 192 "$(among 220 mail@)" 208 'ten to one: of the first 220'
between 492 "$(among 550 mail@)" 500 'of the first 550'

# --- weights

fresh
conf 'connections = 1' 'stream "gold" { weight = 30 }' 'stream "silver" { weight = 20 }' 'stream "bulk" { weight = 10 }'
for s in bulk gold silver; do put -n 400 -s $s -d a.example $s@a.example; done
start
wait $run
is "$? $(took)" '0 1200' 'three streams'
for s in 'gold 300' 'silver 200' 'bulk 100'; do
	between $((${s#* } - 10)) "$(among 600 "${s% *}@")" $((${s#* } + 10)) "$s of the first 600"
done
# A message counts by its bytes, and those of another site count, too.
fresh
conf 'connections = 4' 'stream "gold" { weight = 30 }'
put -n 3000 -s gold -d a.example gold@a.example
put -n 3000 -s plain -d b.example plain@b.example
start
wait $run
is "$? $(took)" '0 6000' 'two streams, a site each'
between 2300 "$(among 3200 gold@)" 2600 'three to one over two sites: of the first 3,200, give or take three turns'
fresh
conf 'connections = 1'
{ cat "$T/m" && awk 'BEGIN { for (i = 0; i < 1800; i++) printf "%062d\r\n", i }'; } >"$T/big" # about 28 times what a small one counts
qput "$q" -n 100 -s big -d a.example big@a.example <"$T/big" >/dev/null
put -n 2000 -s small -d a.example small@a.example
start
wait $run
is "$? $(took)" '0 2100' 'large ones and small ones'
n=$(among 1000 big@)
between 28 "$n" 40 'of the first 1,000, with the same weight'

# --- dead sites among living ones

living=100
mkdir "$T/mute"
echo 'connect hang' >"$T/mute/script"
bg python3 "$TOP/tests/faults/scriptpeer.py" "$T/mute"
until_true 40 test -s "$T/mute/port"
mute=$(cat "$T/mute/port")
sink 20
dead() { # dead LINE...: many wait for the dead, and since longer
	fresh
	conf 'timeout_greeting = 1h' "$@" "route \"mute.example\" { relay = \"127.0.0.1:$mute\" }"
	put -n 300 -d mute.example u@mute.example
	put -n $living -d a.example u@a.example
	put -n $living -d b.example u@b.example
}
# 127.0.0.1:1 answers nobody in a test's world; if it did, what follows would fail
for mode in '' --follow; do
	dead 'route "refuses.example" { relay = "127.0.0.1:1" }'
	put -n 300 -d refuses.example u@refuses.example
	# shellcheck disable=SC2086
	start $mode
	ok "${mode:-one run}: a site that says nothing, one that refuses: the living have theirs" until_true 30 took_least 200
	# Nobody has talked to it yet: up to connections/25 = 8 may be begun before the first hears its refusal.
	between 1 "$(cat "$q"/log/* | grep -c '"type":"deferred"')" 8 'the one that refuses was not tried once a message'
	kill $run
	wait $run
	is $? 0 'who waits for a greeting keeps nobody from ending'
done
living=500 # several turns
dead 'connections = 4'
start
ok 'fewer connections than a site may begin with: the living have theirs' until_true 40 took_least 1000
stop
done_testing
