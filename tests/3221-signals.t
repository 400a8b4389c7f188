#!/bin/sh
# A run that is told to end: replies in flight are waited for, greetings are not; nothing is doubled.
. "$(dirname "$0")/lib.sh"

need python3 perl
PATH=$BUILD/helpers:$PATH
export RELAYKIT_QUEUE="$T/q" RELAYKIT_CONFIG="$T/conf"
q=$T/q
printf 'Subject: x\r\n\r\nbody\r\n' >"$T/m"
got() { find "$T/trap/new" -type f 2>/dev/null | wc -l; }
in_flight() { [ "$(cat "$q"/cur/*/* "$q"/new/* 2>/dev/null | grep -c '"do":"sending"')" -ge "$1" ]; }
events() { cat "$q"/log/*.jsonl; }

trap_start
configure() {
	printf 'connections = 20\nsite_connections = 20\nhostname = h.example\nroute "*" { relay = "127.0.0.1:%s" }\n' \
	    "${1-$PORT}" >"$T/conf"
}
configure
for signal in TERM INT HUP; do
	for mode in '' --follow; do
		rm -rf "$q" "$T/trap/new"/*
		qput "$q" -n 60 data-slow-1s@x.example <"$T/m" >/dev/null
		# shellcheck disable=SC2086
		bg smtp-deliver $mode
		run=$!
		until_true 40 in_flight 4 || echo '# nothing in flight'
		kill -$signal $run
		wait $run
		rc=$?
		n=$(got)
		[ $rc -eq 0 ] && [ "$n" -ge 4 ] && [ "$n" -lt 60 ]
		result $? "SIG$signal${mode:+ with $mode}: exit $rc with $n delivered"
		is "$(events | grep -c '"type":"delivered"')" "$n" 'as many as it tells'
		is "$(find "$q/new" "$q/cur" -type f | wc -l)" $((60 - n)) 'the rest is in the queue'
		is "$(find "$q/new" "$q/cur" -type f -exec cat {} + | grep -c '"do":"sending"')" 0 'untouched'
	done
done

# --- whoever starts it may have signals blocked
rm -rf "$q" "$T/trap/new"/*
qput "$q" -n 1 b@x.example <"$T/m" >/dev/null
bg perl -MPOSIX -e 'sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGTERM)); exec @ARGV' smtp-deliver --follow
run=$!
all_sent() { [ "$(got)" -eq 1 ]; }
until_true 40 all_sent || echo '# nothing was sent'
kill -TERM $run
over() { ! kill -0 $run || grep -q '^State:.Z' /proc/$run/status; }
until_true 40 over || kill -KILL $run
wait $run
is $? 0 'SIGTERM was blocked: it ends the run all the same'

# --- a peer that says nothing
cat >"$T/mute.py" <<'END'
import os, socket, sys
l = socket.create_server(("127.0.0.1", 0), backlog=100)
with open(sys.argv[1] + ".tmp", "w") as f:
    f.write(str(l.getsockname()[1]))
os.rename(sys.argv[1] + ".tmp", sys.argv[1])
kept = []
while True:
    kept.append(l.accept()[0])
    open(sys.argv[1] + ".called", "w").close()
END
bg python3 "$T/mute.py" "$T/mute"
until_true 40 test -s "$T/mute"
configure "$(cat "$T/mute")"
rm -rf "$q"
qput "$q" -n 3 b@x.example <"$T/m" >/dev/null
bg smtp-deliver
run=$!
until_true 40 test -e "$T/mute.called"
begun=$(date +%s%N)
kill -TERM $run
wait $run
is $? 0 'a greeting that does not come: SIGTERM ends the run'
took=$((($(date +%s%N) - begun) / 1000000))
[ $took -lt 20000 ]
result $? "at once ($took ms)"
is "$(find "$q/new" -type f | wc -l)" 3 'and nothing was attempted'
is "$(find "$q/new" -type f -exec cat {} + | grep -c '"do"')" 0 'or written down'
# --- a connection that does not come about, and a name server that says nothing
cat >"$T/full.py" <<'END'
import os, socket, sys, time
l = socket.socket()
l.bind(("127.0.0.1", 0))
l.listen(0) # one waits to be accepted: for the next there is no room, and no answer
waiting = []
for i in range(3):
    c = socket.socket()
    c.setblocking(False)
    c.connect_ex(l.getsockname())
    waiting.append(c)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(("127.0.0.1", 0))
with open(sys.argv[1] + ".tmp", "w") as f:
    f.write("%d %d" % (l.getsockname()[1], u.getsockname()[1]))
os.rename(sys.argv[1] + ".tmp", sys.argv[1])
u.recv(4096)
open(sys.argv[1] + ".asked", "w").close()
time.sleep(600)
END
bg python3 "$T/full.py" "$T/full"
until_true 10 test -s "$T/full"
read -r full mute <"$T/full"
syn_sent() { [ "$(grep -c " 0100007F:$(printf %04X "$full") 02 " /proc/net/tcp)" -gt "$1" ]; }
# ends_soon WHAT CONDITION...: a run that has come so far, told to end
ends_soon() {
	what=$1
	shift
	rm -rf "$q"
	qput "$q" -n 3 b@x.example <"$T/m" >/dev/null
	bg smtp-deliver
	run=$!
	ok "$what" until_true 10 "$@"
	begun=$(date +%s%N)
	kill -TERM $run
	wait $run
	rc=$?
	took=$((($(date +%s%N) - begun) / 1000000))
	[ $rc -eq 0 ] && [ $took -lt 2000 ]
	result $? "ends with 0, and soon: $rc, $took ms"
	is "$(find "$q/new" -type f | wc -l) $(find "$q/new" -type f -exec cat {} + | grep -c '"do"')" '3 0' \
	    'and nothing was attempted'
	is "$(events 2>/dev/null | grep -c '"type":"deferred"')" 0 'or told'
}
configure "$full"
before=$(grep -c " 0100007F:$(printf %04X "$full") 02 " /proc/net/tcp)
ends_soon 'a connection is waited for' syn_sent "$before"
printf 'connections = 20\nhostname = h.example\nresolver = "127.0.0.1@%s"\n' "$mute" >"$T/conf"
ends_soon 'an answer of the DNS is waited for' test -e "$T/full.asked"
configure "$(cat "$T/mute")"

rm -f "$T/mute.called"
echo 'run_time = 1' >>"$T/conf"
begun=$(date +%s%N)
ok 'so does run_time' timeout 60 smtp-deliver
took=$((($(date +%s%N) - begun) / 1000000))
[ $took -lt 20000 ]
result $? "soon ($took ms)"

# --- ended and started again, at moments that differ: nothing that was delivered is sent once more, and
# what was about to be is not deferred
configure
rm -rf "$q" "$T/trap/new"/*
qput "$q" -n 400 b@x.example <"$T/m" >/dev/null
for moment in 2 3 4 5 6 7 2 3 4 5 6 7; do
	bg smtp-deliver --follow
	run=$!
	sleep 0.0$moment
	kill -TERM $run
	wait $run 2>/dev/null
done
ok 'started and ended twelve times, and once to the end' smtp-deliver
is "$(events | grep '"type":"deferred"' | sed 's/.*"content"//' | sort | uniq -c)" '' 'nothing was deferred'
is "$(got)" 400 'each message was delivered once'
done_testing
