#!/bin/sh
# What a run may do: connections, rates, times, what it was told to take.  Each limit from both sides: it is
# kept to, and what it allows is used.  What came when, the other side says: the trap's log is written by
# one thread in the order of things.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/rules.sh"

PATH=$BUILD/helpers:$PATH
q=$RELAYKIT_QUEUE
printf 'Subject: x\r\n\r\nbody\r\n' >"$T/m"
put() { qput "$q" "$@" <"$T/m"; }

# One trap at two ports: the relay of a.example, and that of b.example
bg smtp-trap --listen 127.0.0.1:0 --listen 127.0.0.1:0 --port-file "$T/port" -v --log "$T/log" >"$T/said" 2>"$T/ports"
both() { [ -s "$T/port" ] && [ "$(grep -c listening "$T/ports")" -eq 2 ]; }
until_true 40 both || { echo 'Bail out! smtp-trap did not start'; exit 1; }
A=$(sed -n '1s/.*://p' "$T/ports")
B=$(sed -n '2s/.*://p' "$T/ports")

# conf LINE...: the configuration, beside the routes
conf() {
	{
		printf 'hostname = h.example\ndelivery = queue\n'
		printf 'route "a.example" { relay = "127.0.0.1:%s" }\nroute "b.example" { relay = "127.0.0.1:%s" }\n' "$A" "$B"
		for l; do echo "$l"; done
	} >"$RELAYKIT_CONFIG"
}
# fresh: an empty queue, and the trap's log from here on
fresh() {
	rm -rf "$q"
	log_from=$(wc -l <"$T/log")
}
heard() { tail -n +$((log_from + 1)) "$T/log"; }
# run WHAT [OPTIONS]: a run that ends well
run() {
	what=$1
	shift
	timeout 120 smtp-deliver $sandbox "$@" >"$T/run.out" 2>&1
	is "$?$(cat "$T/run.out")" 0 "$what"
}
# most [DOMAIN]: connections at the same time, of all or of those that had a message to the domain
most() {
	heard >"$T/heard"
	awk -v want="${1:-}" '
		{ match($0, /"connection":[0-9]+/); c = substr($0, RSTART + 13, RLENGTH - 13) }
		NR == FNR { if (want == "" || index($0, "@" want "\"") || index($0, "@" want ">")) mine[c]; next }
		!(c in mine) { next }
		/"type":"connected"/ { if (++n > m) m = n }
		/"type":"disconnected"/ { n-- }
		END { print m + 0 }' "$T/heard" "$T/heard"
}
# took [TEXT]: messages that the trap took
took() { heard | grep -F '"outcome":"accepted"' | grep -Fc -e "${1:-}"; }
took_is() { [ "$(took)" -eq "$1" ]; }
# a_connection: messages over each connection, in the order of their ends
a_connection() {
	heard | awk '
		{ match($0, /"connection":[0-9]+/); c = substr($0, RSTART + 13, RLENGTH - 13) }
		/"outcome":"accepted"/ { n[c]++ }
		/"type":"disconnected"/ { printf "%d ", n[c] }'
}
waiting() { find "$q/new" "$q/cur" -type f 2>/dev/null | wc -l; }
# untouched: of those that wait, how many have no journal
untouched() { find "$q/new" "$q/cur" -type f -exec grep -Lc '"do":' {} + 2>/dev/null | wc -l; }
# between LOW GOT HIGH WHAT
between() { ok "$4: $1 <= $2 <= $3" test "$2" -ge "$1" -a "$2" -le "$3"; }
now_ms() { date +%s%3N; }

# --- site_connections

for n in 1 3 12; do # a site begins with 8 and grows
	fresh
	conf "site_connections = $n"
	put -n $((n * 6)) -d a.example data-slow-200ms@a.example >/dev/null
	run "site_connections = $n"
	is "$(most) $(took)" "$n $((n * 6))" 'so many at the same time, and all arrive'
done
fresh
conf 'site_connections = 2'
for d in a b; do put -n 8 -d $d.example "data-slow-200ms@$d.example" >/dev/null; done
run 'site_connections = 2, two sites'
is "$(most a.example) $(most b.example) $(most)" '2 2 4' 'it is for each site'

fresh
put -n 16 -d a.example data-slow-100ms@a.example >/dev/null
for i in 1 2 3; do
	bg timeout 60 smtp-deliver $sandbox
	eval "run$i=\$!"
done
for i in 1 2 3; do
	eval "wait \$run$i"
	is $? 0 "run $i of three beside each other"
done
is "$(most) $(took)" '2 16' 'it is for all runs together'

# A run that was killed holds no connection of the site.
fresh
conf 'site_connections = 1' 'in_doubt = hold'
put -d a.example data-slow-60s@a.example >/dev/null
bg smtp-deliver $sandbox
victim=$!
in_flight() { cat "$q"/new/* 2>/dev/null | grep -q '"do":"sending"'; }
until_true 40 in_flight
kill -9 $victim
wait $victim 2>/dev/null
put -d a.example next@a.example >/dev/null
run 'the next run after a run that was killed'
is "$(took next@a.example) $(waiting)" '1 0' 'has the connection that it had'

# --- connections

for n in 1 3 4; do
	fresh
	conf "connections = $n" 'site_connections = 2'
	for d in a b; do put -n 8 -d $d.example "data-slow-100ms@$d.example" >/dev/null; done
	run "connections = $n, two sites with 2"
	is "$(most) $(took)" "$n 16" 'so many in all'
	between 1 "$(most a.example)" 2 'one site'
	between 1 "$(most b.example)" 2 'the other'
done

# --- site_rate: at most one second's worth at once, then one for each part of a minute

rated() { # rated RATE N: how long N messages take
	fresh
	conf "site_rate = $1"
	put -n "$2" -d a.example u@a.example >/dev/null
	begun=$(now_ms)
	run "site_rate = $1, $2 messages"
	spent=$(($(now_ms) - begun))
	is "$(took)" "$2" 'all arrive'
}
rated 120 6
between 2000 $spent 12000 'two at once, four at half a second each (ms)'
rated 60000 300
between 0 $spent 12000 'a thousand a second: 300 are no matter (ms)'
fresh
conf 'site_rate = 60'
for d in a b; do put -n 3 -d $d.example "u@$d.example" >/dev/null; done
begun=$(now_ms)
run 'site_rate = 60, three messages to each of two sites'
between 2000 $(($(now_ms) - begun)) 12000 'each site has its own rate (ms)'

# For all runs together.
beside() { # beside N: as many runs at the same time
	pids=
	for i in $(seq "$1"); do
		bg timeout 60 smtp-deliver $sandbox
		pids="$pids $!"
	done
	for i in $pids; do wait "$i"; done
}
fresh
conf 'site_rate = 120'
put -n 8 -d a.example u@a.example >/dev/null
begun=$(now_ms)
beside 3
between 3000 $(($(now_ms) - begun)) 15000 'three runs beside each other, 120 a minute, eight messages (ms)'
is "$(took)" 8 'all arrive'
fresh
conf 'site_rate = 60'
begun=$(now_ms)
for i in 1 2 3 4; do
	put -d a.example "$i@a.example" >/dev/null
	smtp-deliver $sandbox
done
between 3000 $(($(now_ms) - begun)) 15000 'four runs one after the other, 60 a minute, a message each (ms)'
is "$(took)" 4 'all arrive'
conf 'site_rate = 1'
for stamp in "$(($(date +%s) + 7200))000000" '99999999999999999999' nonsense ''; do
	fresh
	mkdir -p "$q/state/sites"
	printf '%s\n' "$stamp" | sed 's/^.\{1,19\}$/00000000000000000000&/; s/.*\(.\{20\}\)$/\1/' >"$q/state/sites/127.0.0.1:$A,rate"
	put -d a.example u@a.example >/dev/null
	begun=$(now_ms)
	run "one a minute, and a time that cannot be: \"$stamp\""
	between 0 $(($(now_ms) - begun)) 12000 'is not waited for (ms)'
done
# Messages to several sites wait for those, and not for each other.
fresh
conf 'site_rate = 2' 'route "c.example" { relay = "localhost:'"$A"'" }' 'route "d.example" { relay = "localhost:'"$B"'" }'
put -d + u@a.example u@b.example >/dev/null
put -d + u@c.example u@d.example >/dev/null
begun=$(now_ms)
run 'two a minute, four sites, two messages to two of them each'
between 0 $(($(now_ms) - begun)) 15000 'each has its own rate (ms)'
is "$(took)" 4 'all arrive'

# --- run_time

fresh
conf 'site_connections = 1' 'run_time = 2s'
put -n 8 -d a.example data-slow-900ms@a.example >/dev/null
run 'run_time = 2s, each message takes 0.9 s'
n=$(took)
between 1 "$n" 3 'what began within two seconds'
is "$(grep -ch '"type":"delivered"' "$q"/log/*)" "$n" 'was waited for'
is "$(waiting) $(untouched)" "$((8 - n)) $((8 - n))" 'the rest has not been begun'
conf 'site_connections = 1' 'run_time = 1h'
run 'run_time = 1h'
is "$(took) $(waiting)" '8 0' 'all the rest'
fresh
conf 'site_connections = 1' 'run_time = 1s'
put -n 3 -d a.example data-slow-900ms@a.example >/dev/null
bg smtp-deliver $sandbox --follow
follower=$!
ok 'one that follows has no such end' until_true 40 took_is 3
kill $follower
wait $follower

# --- connection_messages

for n in 1 3 100; do
	fresh
	conf 'site_connections = 1' "connection_messages = $n"
	put -n 7 -d a.example u@a.example >/dev/null
	run "connection_messages = $n"
	case $n in 1) want='1 1 1 1 1 1 1 ' ;; 3) want='3 3 1 ' ;; *) want='7 ' ;; esac
	is "$(a_connection)" "$want" 'so many over each'
done

# --- connection_time: it takes no further message

fresh
conf 'site_connections = 1' 'connection_time = 1s'
put -n 5 -d a.example data-slow-400ms@a.example >/dev/null
run 'connection_time = 1s, each message takes 0.4 s'
for n in $(a_connection); do
	between 1 "$n" 3 'begun within a second'
done
is "$(took)" 5 'all arrive'
fresh
conf 'site_connections = 1' 'connection_time = 1h'
put -n 5 -d a.example data-slow-400ms@a.example >/dev/null
run 'connection_time = 1h'
is "$(a_connection)" '5 ' 'one connection'

# --- connection_idle: how long it is kept where nothing waits; a run that follows needs that

follow() {
	bg smtp-deliver $sandbox --follow
	follower=$!
	until_true 40 sh -c "ls -l /proc/$follower/fd | grep -q inotify"
}
gone() { [ "$(heard | grep -c '"type":"disconnected"')" -ge "$1" ]; }
fresh
conf 'connection_idle = 10m' 'connections = 1'
follow
put -d a.example one@a.example >/dev/null
until_true 40 took_is 1
put -d a.example two@a.example >/dev/null
ok 'connection_idle = 10m: two messages' until_true 40 took_is 2
is "$(heard | grep -c '"type":"connected"')" 1 'over one connection'
put -d b.example three@b.example >/dev/null
ok 'which is given up where another site needs it' until_true 40 took_is 3
is "$(most)" 1 'connections = 1'
kill $follower
wait $follower
is $? 0 'an idle connection keeps nobody from ending'

fresh
conf 'connection_idle = 1500ms'
follow
put -d a.example one@a.example >/dev/null
until_true 40 took_is 1
ok 'connection_idle = 1500ms: it ends' until_true 40 gone 1
idle=$(heard | sed -nE '/"accepted"|"disconnected"/s/.*"time_ms":([0-9]+).*/\1/p' | paste -s -d ' ' | awk '{ print $2 - $1 }')
between 1450 "$idle" 11000 'then, and not before (ms)'
put -d a.example two@a.example >/dev/null
until_true 40 took_is 2
is "$(heard | grep -c '"type":"connected"')" 2 'the next message makes a new one'
kill $follower
wait $follower

fresh
conf 'connection_idle = 0'
follow
put -d a.example one@a.example >/dev/null
ok 'connection_idle = 0: it ends at once' until_true 40 gone 1
kill $follower
wait $follower

# --- --site, --id

conf
fresh
put -n 3 -d a.example u@a.example >/dev/null
put -n 3 -d b.example u@b.example >/dev/null
put -n 2 -d + u@a.example v@b.example >/dev/null
run '--site nowhere.example' --site nowhere.example
is "$(took) $(untouched)" '0 8' 'nothing goes there'
run '--site' --site "127.0.0.1:$B"
is "$(took @b.example) $(took @a.example)" '5 0' 'only what goes there, of a message to both, too'
is "$(cat "$q"/log/* | grep -c -e '"type":"deferred"' -e '"type":"bounced"')" 0 'nobody else was tried'
run 'and the rest'
is "$(took @b.example) $(took @a.example) $(waiting)" '5 5 0' 'with the next run, once'

fresh
later=$(($(date +%s) + 7200))
one=$(put -d a.example one@a.example)
two=$(put -D $later -d a.example two@a.example)
three=$(put -d b.example three@b.example)
wish=$(put -u $later -d a.example wish@a.example)
held=$(put -d a.example held@a.example)
smtp-queue hold "$held"
fails 'what is no id' 64 'smtp-deliver: nonsense: not an id' smtp-deliver --id "$one" --id nonsense
run '--id of what is not there' --id 361mxkzf4qdr5330
is "$(took)" 0 'is passed over'
run '--id' --id "$one"
is "$(took one@) $(took)" '1 1' 'this message alone'
run '--id twice, one is not due' --id "$two" --id "$three"
is "$(took two@) $(took three@) $(took)" '1 1 3' 'these two'
run '--id of one on hold and of one that its sender wants sent later' --id "$held" --id "$wish"
is "$(took)" 3 'neither goes'
smtp-queue retry "$wish"
smtp-queue release "$held"
run 'after retry and release they do' --id "$held" --id "$wish"
is "$(took)" 5 'they do'

# --- --now

fresh
put -D $later -d a.example a@a.example >/dev/null
put -D $later -d b.example b@b.example >/dev/null
wish=$(put -u $later -d a.example wish@a.example)
run 'a run before they are due'
is "$(took)" 0 'nothing goes'
run '--now with --site' --now --site "127.0.0.1:$A"
is "$(took a@a.example) $(took)" '1 1' 'what goes there, due or not'
run '--now' --now
is "$(took b@b.example) $(took)" '1 2' 'everything, but what its sender wants sent later'
is "$(waiting)" 1 'which waits'

# A closed site: the run before was not let in.
peer_start peer
A=$PORT
conf 'retry_min = 1h'
closed() {
	script <<-'S'
		connect 554 5.3.2 closed ; close
		--
	S
	first=$(put -d a.example first@a.example)
	run 'a site that lets nobody in'
	second=$(put -d a.example second@a.example)
	run 'the next run'
	is "$(connections) $(outcomes | wc -l)" '1 1' 'does not ask again, and what has come since costs no attempt'
	is "$(places)" 'cur 2' 'it waits, too'
}
delivered() { outcomes | sed -n 's/^delivered \([a-z]*\)@.*/\1/p' | sort | paste -s -d ' '; }
closed
run 'with --id' --id "$second"
is "$(connections)" 1 'it is closed'
run 'with --id and --now' --id "$second" --now
is "$(connections) $(delivered)" '2 second' 'it is asked'
closed
run 'with --now and another --site' --now --site nowhere.example
is "$(connections)" 1 'nor is it asked'
run 'with --now' --now
is "$(delivered)" 'first second' 'both go'

# --- in_doubt: content was sent, and the answer is not known

doubt() { # doubt POLICY: a run is killed while the peer keeps its answer
	conf "in_doubt = $1"
	script <<-'S'
		dot hang
		--
	S
	put -d a.example killed@a.example >/dev/null
	bg smtp-deliver $sandbox
	victim=$!
	until_true 40 grep -q '"is":"message"' "$T/peer/log"
	kill -9 $victim
	wait $victim 2>/dev/null
	run "in_doubt = $1: the run after one that was killed behind the content"
}
doubt retry
is "$(messages | wc -l) $(delivered) $(places)" '2 killed ' 'it is sent again'
doubt hold
is "$(messages | wc -l) $(places)" '1 hold 1' 'it is held'
smtp-queue release --all
run 'released'
is "$(messages | wc -l) $(delivered) $(places)" '2 killed ' 'it is sent again'
doubt assume-sent
is "$(messages | wc -l) $(delivered) $(places)" '1 killed ' 'it is taken as delivered'

# The peer goes away behind the dot; while content is still on its way there is no doubt.
{ cat "$T/m" && awk 'BEGIN { for (i = 0; i < 200000; i++) printf "%062d\r\n", i }'; } >"$T/big"
whole() { messages | grep -c ' true '; }
for policy in retry hold assume-sent; do
	conf "in_doubt = $policy" 'retry_min = 1s'
	for when in 'dot close' 'part=100000 close'; do
		script <<-S
			offer 8BITMIME
			$when
			--
			offer 8BITMIME
		S
		qput "$q" -d a.example u@a.example <"$T/big" >/dev/null
		run "in_doubt = $policy: $when"
		rm -rf "$q/state/sites"
		run 'the next run' --now
		got="$(whole) $(delivered) $(places)"
		case $policy,$when in
		retry,dot*) is "$got" '2 u ' 'it is sent again' ;;
		hold,dot*) is "$got" '1  hold 1' 'it is held' ;;
		assume-sent,dot*) is "$got" '1 u ' 'it is taken as delivered' ;;
		*) is "$got" '1 u ' 'it is sent again, and arrives once' ;;
		esac
	done
done
done_testing
