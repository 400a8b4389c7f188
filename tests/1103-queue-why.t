#!/bin/sh
# smtp-queue why: each gate, with its times, what comes behind it, and the command that changes it.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
PATH=$BUILD/helpers:$PATH
RELAYKIT_QUEUE=$T/q
export RELAYKIT_QUEUE
printf 'Subject: x\r\n\r\nbody\r\n' >"$T/m"

put() { qput "$T/q" "$@" <"$T/m"; }
path() { find "$T/q/new" "$T/q/cur" "$T/q/hold" "$T/q/failed" -name "*.$1,*"; }
# gate ID: the first gate, and those behind it
gate() { smtp-queue why "$1" --json | grep -o '"gate":"[a-z-]*"' | sed 1d | cut -d'"' -f4 | xargs; }
# lock FILE: as a delivery run holds it, until unlock
lock() {
	qlock "$1" <"$T/fifo" >"$T/locked" &
	locker=$!
	bg_pids="$bg_pids $locker"
	exec 8>"$T/fifo"
	until_true 40 grep -q locked "$T/locked"
}
unlock() {
	exec 8>&-
	wait $locker
}
iso() { date -u -d "@$1" +%FT%TZ; }

now=$(date +%s)
a=$(put bob@example.net)
b=$(put -d + -D $((now + 600)) alice@example.net carl@example.com)
c=$(put -u $((now + 900)) dora@example.net)
d=$(put -F eve@example.net)
e=$(put -S frank@example.net)

is "$(gate "$a")" no-run 'due, and no run'
like "$(smtp-queue why "$a")" '^  to change +smtp-deliver$' 'says what to start'
born=$(smtp-queue list "$a" | cut -f3)
is "$(smtp-queue why "$a" | sed -n 's/^  expires *//p')" "$(date -u -d "$born + 5 days" +%FT%TZ)" \
    'five days from acceptance'
printf 'lifetime = 1h\n' >"$T/conf"
is "$(smtp-queue why -C "$T/conf" "$a" | sed -n 's/^  expires *//p')" \
    "$(date -u -d "$born + 1 hour" +%FT%TZ)" 'or what the configuration says'
: >"$T/q/state/run.lock"
is "$(gate "$a")" no-run 'a lock file that nobody holds is no run'
mkfifo "$T/fifo"
lock "$T/q/state/run.lock"
is "$(gate "$a")" turn 'with a run it waits for its turn'
unlock

is "$(gate "$b")" due 'not due'
smtp-queue why "$b" >"$T/out"
is "$(sed -n 's/^  until *//p; s/^  next *//p' "$T/out" | sort -u)" "$(iso $((now + 600)))" 'until when'
is "$(sed -n 's/^  to change *//p' "$T/out")" "smtp-queue retry $b" 'what makes it due'
like "$(cat "$T/out")" '^  last reply [0-9TZ:-]+ mx.site.example: 451 4.3.0 try \\x1b\[31mlater$' \
    'what was said, escaped'
is "$(grep -c '^  to  ' "$T/out")" 2 'to whom'

is "$(gate "$c")" hold-until "its sender's wish"
like "$(smtp-queue why "$c")" "^  until +$(iso $((now + 900)))" 'until when'
smtp-queue retry "$c"
is "$(gate "$c")" no-run 'retry ends it'
is "$(gate "$d")" finished 'failed'
is "$(gate "$e")" no-run 'in doubt, to be sent again'
like "$(smtp-queue why "$e")" '^  in doubt +sent, and the answer is not known: will be sent again$' 'is told'
for policy in hold assume-sent; do
	printf 'in_doubt = %s\n' $policy >"$T/conf"
	like "$(smtp-queue why -C "$T/conf" "$e" --json)" '"gate":"in-doubt"' "in doubt, and in_doubt = $policy"
done

# A site that is closed: pace.h's line, counted from when it was written.
mkdir -p "$T/q/state/sites"
printf 'allowed=4 slowed=0 failures=3 closed_for=300\n' >"$T/q/state/sites/mx.site.example"
touch -d "@$((now - 100))" "$T/q/state/sites/mx.site.example"
is "$(gate "$b")" 'due site-closed' 'not due, and its site is closed'
smtp-queue why "$b" >"$T/out"
like "$(cat "$T/out")" '^  and +its site mx.site.example is closed after 3 failed connections in a row$' 'says which'
is "$(sed -n 's/^  until *//p' "$T/out" | tail -1)" "$(iso $((now + 200)))" 'until when'
like "$(cat "$T/out")" '^  to change +smtp-deliver --now --site mx.site.example$' 'and what opens it'
touch -d "@$((now - 400))" "$T/q/state/sites/mx.site.example"
is "$(gate "$b")" due 'a site whose time is over is open'
printf 'nonsense\n' >"$T/q/state/sites/mx.site.example"
is "$(gate "$b")" due 'nonsense is no state'

smtp-queue hold --reason 'a bad day' "$b"
is "$(gate "$b")" held 'held'
smtp-queue why "$b" >"$T/out"
like "$(cat "$T/out")" "^  why +on hold, by uid $(id -u): a bad day\$" 'by whom and why'
is "$(sed -n 's/^  to change *//p' "$T/out")" "smtp-queue release $b" 'what lets it go'
lock "$(path "$a")"
is "$(gate "$a")" active 'in flight'
unlock

# What was moved on untried, because its site is closed: by a run, to a port where nobody listens.
q=$RELAYKIT_QUEUE
RELAYKIT_QUEUE=$T/moved
port=$(free_port)
printf 'connections = 1\nsite_connections = 1\nroute "*" { relay = "127.0.0.1:%s" }\n' "$port" >"$T/conf"
for i in 1 2 3; do qput "$T/moved" "u$i@$i.example" <"$T/m"; done >"$T/ids"
case $BUILD in *sanitize* | *tsan*) sandbox=--no-sandbox ;; *) sandbox= ;; esac
smtp-deliver -C "$T/conf" $sandbox
untried=$(grep -L '"do"' "$T"/moved/cur/*/* | head -n 1)
untried=${untried##*/}
due=${untried%%.*} id=${untried#*.}
id=${id%%,*}
is "$(gate "$id")" 'due site-closed' 'moved on untried: its site is a gate'
smtp-queue why "$id" >"$T/out"
like "$(cat "$T/out")" '^  why +was not tried yet and waits for a later run$' 'it was not tried'
like "$(cat "$T/out")" "^  and +its site 127\\.0\\.0\\.1:$port is closed after a failed connection\$" 'which site'
until=$(date -d "$(sed -n 's/^  until *//p' "$T/out" | tail -n 1)" +%s)
ok "until it is due: $until, $due" test $((due - until)) -ge -2 -a $((due - until)) -le 2
printf 'allowed=4 slowed=1 failures=0 closed_for=%s\n' $((due - now)) >"$T/moved/state/sites/aaa"
touch -d "@$now" "$T/moved/state/sites/aaa"
printf 'allowed=4 slowed=1 failures=0 closed_for=%s\n' $((due - now + 60)) >"$T/moved/state/sites/bbb"
touch -d "@$now" "$T/moved/state/sites/bbb"
like "$(smtp-queue why "$id")" "^  and +its site is closed: it is one of 2 that open at this time, perhaps (aaa|127)" \
    'where two open at that moment it may be either'
rm "$T"/moved/state/sites/*
is "$(gate "$id")" due 'where none does nothing is said of sites'
RELAYKIT_QUEUE=$q

ids() { smtp-queue why "$1" --json | grep -o '"queue_id":"[^"]*"' | cut -d'"' -f4 | sort | xargs; }
is "$(ids alice@example.net)" "$b" 'by a recipient'
is "$(ids sender@example.org)" "$(printf '%s\n' "$a" "$b" "$c" "$e" | sort | xargs)" 'by the sender'
is "$(ids example.com)" "$b" 'by a domain'
is "$(ids EXAMPLE.NET)" "$(printf '%s\n' "$a" "$b" "$c" "$e" | sort | xargs)" 'in any case'
fails 'nobody knows him' 66 'smtp-queue: nothing in the queue is, comes from or goes to x@example.net; the event log says what became of it' \
    smtp-queue why x@example.net
fails 'one question at a time' 64 "$(smtp-queue --help)" smtp-queue why a b
# --- who was told what: his own reply counts, and what somebody else had does not
trap_start
export RELAYKIT_QUEUE="$T/several"
smtp-submit -odq -f '' ok@a.example defer-451@a.example defer-452@a.example <"$T/m"
smtp-deliver --relay "127.0.0.1:$PORT"
is "$(smtp-queue why a.example | sed -n 's/^  last reply [^ ]* //p')" \
    '127.0.0.1: 451 4.3.0 as the recipient wishes (defer-451@a.example)
127.0.0.1: 452 4.2.2 as the recipient wishes (defer-452@a.example)' 'each that is left, and what he was told'
done_testing
