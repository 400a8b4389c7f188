#!/bin/sh
# smtp-deliver --follow: what comes, becomes due or is let go is on its way at once; signals; a long life.
. "$(dirname "$0")/lib.sh"

need python3
# Where there is a disk in memory: this is about watching, not about durability.
[ -d /dev/shm ] && [ -w /dev/shm ] && { rm -rf "$T"; T=$(mktemp -d /dev/shm/relaykit-test.XXXXXX) || exit 1; HOME=$T; export T HOME; }
PATH=$BUILD/helpers:$PATH
export RELAYKIT_QUEUE="$T/q" RELAYKIT_CONFIG="$T/conf"
q=$T/q
printf 'Subject: x\r\n\r\nbody\r\n' >"$T/m"
put() { qput "$q" "$@" <"$T/m"; }
got() { find "$T/trap/new" -type f 2>/dev/null | wc -l; }
got_is() { [ "$(got)" -eq "$1" ]; }
queue_is() { [ "$(find "$q/new" "$q/cur" "$q/hold" -type f | wc -l)" -eq "$1" ]; }
held() { find "$q/hold" -type f | wc -l; }
# follow [OPTIONS]: one more, and it listens
follow() {
	bg smtp-deliver --follow "$@"
	run=$!
	until_true 40 sh -c "ls -l /proc/$run/fd | grep -q inotify" || echo '# it does not watch'
}
# stop SIGNAL: its exit code is $?
stop() {
	kill "-$1" $run
	wait $run
}
# soon N WHAT: so many have arrived, and not by the look around that a run takes every minute
soon() {
	ok "$2" until_true 40 got_is "$1"
}

# sink_start: a trap that keeps nothing
sink_start() {
	kill $trap_pid
	rm -f "$T/port"
	bg smtp-trap --listen 127.0.0.1:0 --port-file "$T/port" --discard
	until_true 40 test -s "$T/port"
	PORT=$(cat "$T/port")
}

trap_start
configure() {
	printf 'delivery = queue\nretry_min = 2s\nhostname = h.example\nroute "*" { relay = "127.0.0.1:%s" }\n' "$PORT" >"$T/conf"
	for l; do echo "$l"; done >>"$T/conf"
}
configure 'retry_max = 3s'
follow

put one@x.example >"$T/id"
soon 1 'a new message goes at once'
printf 'Subject: x\n\nhi\n' | smtp-submit -f a@x.example two@x.example
soon 2 'one of smtp-submit too'
i=0
while [ $i -lt 20 ]; do
	put "more$i@x.example" >/dev/null
	i=$((i + 1))
done
soon 22 'and one after the other'

# --- cur/: due, released, retried
a=$(put greylist-1@x.example)
cur() { find "$q/cur" -type f -name "*.$1,*" | grep -q .; }
until_true 40 cur "$a"
ok 'a deferred one goes when it is due, in two seconds and a bit' until_true 40 got_is 23
b=$(put -D $(($(date +%s) + 3000)) later@x.example)
c=$(put -D $(($(date +%s) + 20000)) muchlater@x.example)
d=$(put -u $(($(date +%s) + 20000)) wish@x.example)
until_true 40 cur "$d"
got_is 23
result $? 'what is due later waits'
ok 'retry' smtp-queue retry "$b" "$c" "$d"
soon 26 'what is told to be tried goes at once'
put -D $(($(date +%s) + 2)) inamoment@x.example >/dev/null
ok 'what another program put into this hour goes in its second' until_true 40 got_is 27
b=$(put -D $(($(date +%s) + 3000)) later@x.example)
smtp-queue hold "$b"
is "$(held)" 1 'one is held'
smtp-queue release "$b"
smtp-queue retry "$b"
soon 28 'released and retried it goes'
b=$(put -D $(($(date +%s) - 7200)) past@x.example)
soon 29 'also what was due in an hour that is over'

# --- new/ is exchanged for a fresh one, by whoever tidies
exchange() {
	mkdir -m 700 "$q/new.$1"
	python3 -c 'import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
sys.exit(libc.renameat2(-100, sys.argv[1].encode(), -100, sys.argv[2].encode(), 2) != 0)' "$q/new" "$q/new.$1"
}
exchange 1 || echo '# no RENAME_EXCHANGE'
put after@x.example >/dev/null
soon 30 'new/ was exchanged: what comes into the fresh one goes at once'
kill -STOP $run
put before@x.example >/dev/null
exchange 2
put after2@x.example >/dev/null
kill -CONT $run
soon 32 'and what was in the old one'

# --- the hour ends while it watches
stop HUP
is $? 0 'SIGHUP ends it'
now=$(date +%s)
shift=$((3600 - now % 3600 - 3))
rm -f "$q/state/clock"
bg env LD_PRELOAD="$BUILD/faults/clockshift" CLOCKSHIFT=$shift smtp-deliver --follow
run=$!
until_true 40 sh -c "ls -l /proc/$run/fd | grep -q inotify"
due=$((now + shift + 5))
put -D $due nexthour@x.example >/dev/null
is "$(find "$q/cur" -type d -name "$(date -u -d @$due +%Y%m%d%H)" | wc -l)" 1 'one is due in the next hour'
put -D $((due + 1)) nexthour2@x.example >/dev/null
ok 'and goes when it has begun' until_true 40 got_is 34
[ $(($(date +%s) + shift)) -ge $due ]
result $? 'not before'

# --- more events than the kernel keeps
most=$(cat /proc/sys/fs/inotify/max_queued_events)
stop TERM
is $? 0 'SIGTERM ends it'
queue_is 0
result $? 'and nothing is left'
if [ "$most" -le 20000 ]; then
	sink_start
	configure
	follow
	kill -STOP $run
	put -n $((most + 1000)) flood@x.example >/dev/null
	kill -CONT $run
	ok 'more messages than events: all go' until_true 200 queue_is 0
else
	sink_start
	configure
	follow
	result 0 "lost events # SKIP max_queued_events is $most"
fi

# --- a long life
rss() { awk '/^(RssAnon|VmData)/ && /RssAnon/ { print $2 }' "/proc/$run/status"; }
fds() { find "/proc/$run/fd" -type l | wc -l; }
rounds() {
	k=0
	while [ $k -lt "$1" ]; do
		put -n 5000 -d "d$k.example" "r@d$k.example" >/dev/null
		until_true 200 queue_is 0 || return 1
		k=$((k + 1))
	done
}
rounds 1
before=$(rss)
fds=$(fds)
ok '50,000 messages, with those before' rounds 7
after=$(rss)
sanitized || [ $((after - before)) -lt 2048 ]
result $? "cost no memory: $before KiB before, $after after"
few() { [ "$(fds)" -le $((fds + 2)) ]; }
until_true 20 few # those of removed files are closed by and by
result $? "nor descriptors: $fds before, $(fds) after"
stop INT
is $? 0 'SIGINT ends it'

# --- it knows thousands of domains, is idle and begins anew; that one entry cannot be set aside does not end it

rmdir "$q/damaged"
: >"$q/damaged"
echo nothing >"$q/new/0000000001.0000000000000000,mail,8,x.example"
follow 2>"$T/err"
k=0
while [ $k -lt 4100 ]; do
	printf 'MAIL FROM:<a@x.example>\nRCPT TO:<b@d%d.example>\nDATA\n\nx\n.\n' $k
	k=$((k + 1))
done | smtp-submit -bS -odq >"$T/queued"
worker=$(ls "/proc/$run/task" | grep -vx "$run" | head -n 1) # while it has the last of them in hand
ok "$(grep -c ^250 "$T/queued") messages to as many domains" until_true 60 queue_is 1
ok 'when their connections are closed it begins anew' until_true 40 test ! -e "/proc/$run/task/${worker:-none}"
put after@x.example >/dev/null
ok 'and delivers' until_true 20 queue_is 1
stop TERM
is "$? $(sed 's/ aside: .*/ aside/' "$T/err")" \
    '75 smtp-deliver: set new/0000000001.0000000000000000,mail,8,x.example aside' 'and tells of it in the end'
rm -rf "$q"
done_testing
