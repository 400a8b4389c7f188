#!/bin/sh
# Many sites in one run, with few descriptors; a route that is too old is asked for again.
. "$(dirname "$0")/lib.sh"

need python3
[ -d /dev/shm ] && [ -w /dev/shm ] && { rm -rf "$T"; T=$(mktemp -d /dev/shm/relaykit-test.XXXXXX) || exit 1; HOME=$T; export T HOME; }
PATH=$BUILD/helpers:$PATH
export RELAYKIT_QUEUE="$T/q" RELAYKIT_CONFIG="$T/conf"
q=$T/q
printf 'Subject: x\r\n\r\nbody\r\n' >"$T/m"

# --- 250 sites, 200 descriptors
trap_start
kill "$trap_pid"
wait "$trap_pid" 2>/dev/null
sites=250
listen=
i=1
printf 'connections = 200\nhostname = h.example\n' >"$T/conf"
while [ $i -le $sites ]; do
	listen="$listen --listen 127.0.1.$i:$PORT"
	printf 'route "d%d.example" { relay = "127.0.1.%d:%d" }\n' $i $i "$PORT" >>"$T/conf"
	qput "$q" -n 2 -d d$i.example b@d$i.example <"$T/m" >/dev/null
	i=$((i + 1))
done
rm -f "$T/port"
# shellcheck disable=SC2086
bg smtp-trap $listen --port-file "$T/port" --maildir "$T/trap"
if until_true 40 test -s "$T/port"; then
	(ulimit -n 200 && exec smtp-deliver -v) >"$T/out" 2>"$T/err"
	is "$? $(cat "$T/err") $(cat "$T/out")" "0  delivered $((2 * sites)) deferred 0 failed 0 expired 0" \
	    "two messages to each of $sites sites, with 200 descriptors"
	is "$(find "$q/state/sites" -type f | wc -l)" $sites 'and something is known of each'
	is "$(cat "$q"/state/sites/* | cut -d' ' -f1 | sort | uniq -c | awk '{ print $1, $2 }')" "$sites allowed=10" \
	    'namely that two more connections may go at once'
else
	result 0 'many sites # SKIP no 127.0.1.* here'
fi

# --- a process that was stopped while it wrote what it has learned keeps nobody waiting
rm -rf "$q" "$T/trap"
trap_start
printf 'hostname = h.example\nroute "*" { relay = "127.0.0.1:%s" }\n' "$PORT" >"$T/conf"
site=$q/state/sites/127.0.0.1:$PORT
qput "$q" -d d.example b@d.example <"$T/m" >/dev/null
ok 'a site becomes known' smtp-deliver
before=$(cat "$site")
bg python3 -c 'import fcntl, sys, time
f = open(sys.argv[1], "r+")
fcntl.lockf(f, fcntl.LOCK_EX, 1, 0)
open(sys.argv[2], "w").close()
time.sleep(600)' "$site" "$T/has.lock"
until_true 40 test -e "$T/has.lock"
qput "$q" -n 3 -d d.example b@d.example <"$T/m" >/dev/null
ok 'who cannot have its lock delivers all the same' timeout 10 smtp-deliver
is "$(find "$T/trap/new" -type f | wc -l) $(cat "$site")" "4 $before" 'and leaves alone what is there'
kill $!
wait $! 2>/dev/null
qput "$q" -n 3 -d d.example b@d.example <"$T/m" >/dev/null
ok 'with the lock' smtp-deliver
[ "$(cat "$site")" != "$before" ]
result $? 'it is written again'

# --- a site closes for a while, and moving its messages on takes longer than that
rm -rf "$q" "$T/trap"
trap_start
cat >"$T/conf" <<END
hostname = h.example
retry_min = 2s
retry_max = 2s
site "farm" { domains = "a.example, b.example" connections = 1 }
route "a.example" { relay = "127.0.0.1:$PORT" }
route "b.example" { relay = "localhost:$PORT" }
END
qput "$q" -n 7 -d a.example 421-at-rcpt@a.example <"$T/m" >/dev/null
qput "$q" -n 3 -d b.example slow-4s@b.example <"$T/m" >/dev/null
if sanitized; then
	result 0 'a closure that is over before all is moved on # SKIP the sanitizer has to be loaded first'
else
	SLOWRENAME_MS=400 LD_PRELOAD=$BUILD/faults/slowrename smtp-deliver --no-sandbox
	most=$(find "$q/cur" -name '*,*' | sed 's|.*/||' | sort | tail -1 | cut -d. -f1)
	[ "$(find "$q/cur" -name '*,*' | wc -l)" -ge 7 ] && [ "$most" -lt $(($(date +%s) + 60)) ]
	result $? "a closure that is over before all is moved on: all are due soon ($most)"
fi

# --- a run that stays forgets what it knew of thousands of domains
rm -rf "$q"
bg smtp-trap --listen 127.0.0.1:0 --port-file "$T/port2" --discard
until_true 40 test -s "$T/port2"
printf 'hostname = h.example\ndelivery = queue\nroute "*" { relay = "127.0.0.1:%s" }\n' "$(cat "$T/port2")" >"$T/conf"
bg smtp-deliver --follow
run=$!
empty() { [ -d "$q/new" ] && [ "$(find "$q/new" "$q/cur" -type f | wc -l)" -eq 0 ]; }
wide() {
	awk -v tail="$1" 'BEGIN { for (i = 0; i < 5000; i++)
	    printf "MAIL FROM:<a@x.example>\nRCPT TO:<b@a-domain-name-of-some-length-%d.%s>\nDATA\n\nx\n.\n", i, tail }' |
	    smtp-submit -bS >/dev/null
	until_true 200 empty
	sleep 0.5 # it looks whether it is idle five times a second
}
rss() { awk '/^RssAnon/ { print $2 }' "/proc/$run/status"; }
wide a.example
before=$(rss)
for d in b c d e f; do
	wide $d.example || echo "# $d.example"
done
after=$(rss)
sanitized || [ $((after - before)) -lt 6144 ]
result $? "25,000 more domains cost next to nothing: $before KiB before, $after after"
printf 'Subject: x\n\nx\n' | smtp-submit -f a@x.example last@x.example
ok 'and the next message is seen' until_true 40 empty
kill $run
wait $run
is $? 0 'it ends well'

# --- a route is as old as its records may be
cat >"$T/dns.py" <<'END'
import os, socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
with open(sys.argv[1] + ".tmp", "w") as f:
    f.write(str(s.getsockname()[1]))
os.rename(sys.argv[1] + ".tmp", sys.argv[1])
log = open(sys.argv[1] + ".log", "a", buffering=1)
while True:
    p, peer = s.recvfrom(4096)
    at, labels = 12, []
    while p[at]:
        labels.append(p[at + 1:at + 1 + p[at]].decode("latin-1"))
        at += 1 + p[at]
    kind = struct.unpack(">H", p[at + 1:at + 3])[0]
    log.write("%d %s\n" % (kind, ".".join(labels)))
    data = {15: struct.pack(">H", 10) + b"\2mx\4site\7example\0", 1: bytes([192, 0, 2, 7])}.get(kind)
    answer = b"" if data is None else b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 70, len(data)) + data
    s.sendto(p[:2] + b"\x84\x00" + struct.pack(">HHHH", 1, 1 if answer else 0, 0, 0) + p[12:at + 5] + answer, peer)
END
bg python3 "$T/dns.py" "$T/dns"
until_true 40 test -s "$T/dns"
rm -rf "$q"
cat >"$T/conf" <<END
hostname = h.example
resolver = "127.0.0.1@$(cat "$T/dns")"
timeout_connect = 1s
retry_min = 1s
END
asked() { [ "$(grep -c '^15 t.example' "$T/dns.log")" -eq "$1" ]; }
told() { [ "$(cat "$q"/log/*.jsonl 2>/dev/null | grep -c '"type":"deferred"')" -ge "$1" ]; }
echo 0 >"$T/shift"
bg env LD_PRELOAD="$BUILD/faults/clockshift" CLOCKSHIFT_FILE="$T/shift" CLOCKSHIFT_BOTH=1 \
    smtp-deliver --follow --no-sandbox
until_true 40 test -d "$q/new"
qput "$q" -d t.example one@t.example <"$T/m" >/dev/null
ok 'the first message asks for the MX' until_true 40 asked 1
until_true 40 told 1
echo 50 >"$T/shift"
qput "$q" -d t.example two@t.example <"$T/m" >/dev/null
until_true 40 told 3
ok 'as long as the answer holds nobody asks again' asked 1
echo 100 >"$T/shift"
qput "$q" -d t.example three@t.example <"$T/m" >/dev/null
ok 'then the next one does' until_true 40 asked 2
done_testing
