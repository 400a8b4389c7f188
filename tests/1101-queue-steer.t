#!/bin/sh
# smtp-queue hold, release, retry, remove: moves, journal, events, entries in flight, what gets away.
. "$(dirname "$0")/lib.sh"
PATH=$BUILD/helpers:$PATH
RELAYKIT_QUEUE=$T/q
export RELAYKIT_QUEUE
printf 'Subject: x\r\n\r\nbody\r\n' >"$T/m"
uid=$(id -u)

put() { qput "$T/q" "$@" <"$T/m"; }
path() { find "$T/q/new" "$T/q/cur" "$T/q/hold" "$T/q/failed" -name "*.$1,*"; }
# where ID: its state, from the directory
where() { path "$1" | sed "s|^$T/q/||; s|/.*||"; }
events() { cat "$T"/q/log/events-*.jsonl 2>/dev/null; }
# lock ID [-r]: as a deliverer holds it, until unlock
lock() {
	[ -p "$T/fifo" ] || mkfifo "$T/fifo"
	qlock ${2:+"$2"} "$(path "$1")" <"$T/fifo" >"$T/locked" &
	locker=$!
	bg_pids="$bg_pids $locker"
	exec 9>"$T/fifo"
	until_true 40 grep -q locked "$T/locked"
}
unlock() {
	exec 9>&-
	wait $locker
}

a=$(put bob@example.net)
b=$(put -d + -D $(($(date +%s) + 600)) alice@example.net carl@example.com)
c=$(put -s bulk -u $(($(date +%s) + 900)) -t "t 1" dora@example.net)
d=$(put -F eve@example.net)
for command in hold release retry remove; do
	fails "$command: all only when asked for" 64 \
	    "smtp-queue: $command: which? Give ids, selectors, or --all" smtp-queue $command
done

for age in 30000d 99999d 9999999d; do
	ok "remove --older $age" smtp-queue remove --older $age
	is "$(where "$a") $(where "$b") $(where "$c")" 'new cur new' 'nobody is that old, and nothing is removed'
done

ok 'hold' smtp-queue hold --reason 'odd "one"' "$a" "$b"
is "$(cat "$T/.out")" '' 'in silence'
is "$(where "$a") $(where "$b") $(where "$c")" 'hold hold new' 'these are on hold, the other is not'
like "$(smtp-queue show "$b" | grep '^journal' | tail -1)" \
    '"do":"held","at":[0-9]{16},"by":"uid '"$uid"'","why":"odd ' 'the journal says who and why'
is "$(events | sed 's/"timestamp":"[^"]*"/T/; s/"accepted":"[^"]*"/A/; s/,"timings".*/}/')" \
    "{\"type\":\"accepted\",T,\"id\":\"$a\",\"sender\":\"sender@example.org\",\"recipient\":\"bob@example.net\",\"domain\":\"example.net\",\"stream\":\"mail\",\"size\":20,A}
{\"type\":\"held\",T,\"id\":\"$a\",\"sender\":\"sender@example.org\",\"recipient\":\"bob@example.net\",\"domain\":\"example.net\",\"stream\":\"mail\",\"size\":20,\"response\":{\"content\":\"odd \\\"one\\\"\"}}
{\"type\":\"held\",T,\"id\":\"$b\",\"sender\":\"sender@example.org\",\"stream\":\"mail\",\"size\":20,\"response\":{\"content\":\"odd \\\"one\\\"\"}}" \
    'the events: accepted for the one that nobody took before, held for both'
ok 'hold again is no error' smtp-queue hold "$a" "$b"
is "$(events | grep -c held)" 2 'and no event'

ok 'release' smtp-queue release -v --all
is "$(sort <"$T/.out")" "$(printf '%s\n' "$a" "$b" | sort)" 'with -v the ids'
is "$(where "$a") $(where "$b")" 'new cur' 'each is back where it was'
like "$(path "$b")" "/cur/[0-9]{10}/$(smtp-queue list --brief "$b" >/dev/null; date +%s | cut -c1-5)" 'due when it was due'
is "$(events | grep -c '"type":"released"')" 2 'two events'

ok 'retry' smtp-queue retry "$a" "$b" "$c"
is "$(where "$a") $(where "$b") $(where "$c")" 'new cur cur' 'what is due stays, the rest becomes due'
now=$(date +%s)
for id in "$b" "$c"; do
	due=$(basename "$(path "$id")" | cut -d. -f1)
	[ "$due" -le "$now" ] && [ "$due" -gt $((now - 60)) ]
	result $? 'now'
	is "$(basename "$(dirname "$(path "$id")")")" "$(date -u -d @"$due" +%Y%m%d%H)" 'in its hour'
done
ok 'retry again' smtp-queue retry --all
is "$(smtp-queue show "$b" | grep -c '"do":"retry"')" 1 'changes nothing'

fails 'what failed is not there to hold' 75 "smtp-queue: $d is in failed/: nothing to hold" \
    smtp-queue hold "$d"
fails 'what is on no list' 75 'smtp-queue: 0123456789abcdef is not in the queue' \
    smtp-queue remove 0123456789abcdef
smtp-queue hold "$a"
fails 'what is on hold is released, not retried' 75 "smtp-queue: $a is in hold/: nothing to retry" \
    smtp-queue retry "$a"

ok 'remove' smtp-queue remove --json --stream mail
is "$(sort <"$T/.out")" "$(printf '{"queue_id":"%s"}\n' "$a" "$b" | sort)" 'with --json the ids'
is "$(where "$a")$(where "$b") $(where "$c")" ' cur' 'from hold, too, but no other stream'
is "$(events | grep '"type":"removed"' | grep -o '"recipient":"[^"]*","domain":"[^"]*"' | sort)" \
    '"recipient":"alice@example.net","domain":"example.net"
"recipient":"bob@example.net","domain":"example.net"
"recipient":"carl@example.com","domain":"example.com"' 'an event a recipient'
ok 'nothing left is done' smtp-queue remove --stream mail
ok 'remove the rest' smtp-queue remove --all
is "$(where "$c") $(where "$d")" ' failed' 'what failed is kept'

# In flight.
a=$(put bob@example.net)
lock "$a"
is "$(smtp-queue list --mailq | cut -c1-17 | sed -n 2p)" "$a*" 'an entry in flight is shown as such'
fails 'one in flight gets away after the wait' 75 "smtp-queue: 1 still in flight
smtp-queue: $a is still in flight" smtp-queue hold --timeout 0 "$a"
fails 'likewise without its id' 75 "smtp-queue: 1 still in flight
smtp-queue: $a is still in flight" smtp-queue remove --timeout 0 --all
is "$(where "$a")" new 'it is where it was'
smtp-queue hold --timeout 20 "$a" >"$T/wait" 2>&1 9>&- &
waiting=$!
ok 'another is held meanwhile' smtp-queue hold --timeout 20 "$(put x@example.net)"
unlock
wait $waiting
is "$? $(cat "$T/wait") $(where "$a")" '0  hold' 'who waits gets it'
lock "$a" -r
smtp-queue remove --timeout 20 "$a" >"$T/wait" 2>&1 9>&- &
waiting=$!
until_true 40 grep -q . "/proc/$waiting/stat"
unlock
wait $waiting
is "$? $(cat "$T/wait")" "75 smtp-queue: $a is not in the queue" \
    'delivered before it could be removed: it got away'
smtp-queue remove --all

# Many, while more come in; and the journal of a doubt.
n=300
put -n $n many@example.net >/dev/null
put -n 300 -s bulk more@example.net >/dev/null &
filling=$!
ok 'hold a stream while another fills' smtp-queue hold --stream mail
wait $filling
is "$(smtp-queue count | cut -f1,3,4 | xargs)" '300 new bulk 300 hold mail' 'all of it, and no other'
ok 'remove all' smtp-queue remove --all
a=$(put -S doubt@example.net)
like "$(smtp-queue show "$a")" 'open, in doubt' 'in doubt'
smtp-queue hold "$a"
like "$(smtp-queue show "$a")" 'open, in doubt' 'on hold it stays in doubt'
smtp-queue release "$a"
is "$(smtp-queue show "$a" | grep -c 'in doubt') $(where "$a")" '0 cur' \
    'who releases it has decided'
for policy in hold assume-sent; do
	echo "in_doubt = $policy" >"$T/doubt"
	for when in 0 -4000; do # due in this hour, and in one before
		a=$(put -S -D $(($(date +%s) + when)) doubt@example.net)
		is "$(smtp-queue retry -C "$T/doubt" -v "$a"; smtp-queue show "$a" | grep -c 'in doubt')" "$a
0" "in_doubt = $policy: who has one retried that is due already has decided, too"
		is "$(smtp-queue retry -C "$T/doubt" -v "$a"; smtp-queue show "$a" | grep -c '"do":"retry"')" 1 'once'
	done
done
ok 'remove all' smtp-queue remove --all
put -n 20 -S -D "$(date +%s)" doubt@example.net >"$T/due"
put -n 20 new@example.net >>"$T/due"
a=$(put -D $(($(date +%s) + 4000)) later@example.net)
is "$(echo "$a" | cat - "$T/due" | smtp-queue retry -v -)" "$a" 'what is due goes by itself'
if command -v strace >/dev/null && strace -o "$T/trace" smtp-queue retry --all >/dev/null 2>&1; then
	is "$(grep -c 'open.*,mail,' "$T/trace")" 0 'and is not opened for that'
fi
ok 'remove all' smtp-queue remove --all

# The queue is its owner's: root becomes that user, others are refused.
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$T"
	b=$(put owner@example.net)
	chown -R 65534 "$T/q"
	ok 'root holds in the queue of another' smtp-queue hold "$b"
	is "$(find "$T/q" -type f ! -uid 65534)" '' 'and leaves nothing there that is its own'
	like "$(smtp-queue show "$b" | grep '^journal')" '"by":"uid 0"' 'the journal says who asked'
	setpriv --reuid=1234 --regid=1234 --clear-groups smtp-queue release "$b" >"$T/.out" 2>&1
	is "$? $(where "$b")" '77 hold' 'another user may not'
	chown -R 0 "$T/q"
	smtp-queue remove --all
fi

# Trouble: a journal that cannot be written, a log that cannot be opened.
head -c 9000 /dev/zero | tr '\0' x >>"$T/m"
a=$(put trouble@example.net)
fails 'a full disk is told, and nothing moves' 75 \
    "smtp-queue: journal $(basename "$(path "$a")"): write: File too large" \
    sh -c 'ulimit -f 4; trap "" XFSZ; smtp-queue hold '"$a"
is "$(where "$a")" new 'it is where it was'
rm -rf "$T/q/log"
: >"$T/q/log"
smtp-queue hold "$a" >"$T/.out" 2>&1
is "$? $(where "$a")" '75 new' 'a queue without its log is not worked on'
done_testing
