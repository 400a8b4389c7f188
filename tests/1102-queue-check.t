#!/bin/sh
# smtp-queue check: what is not a complete entry is set aside and told; the rest stays.
. "$(dirname "$0")/lib.sh"
PATH=$BUILD/helpers:$PATH
RELAYKIT_QUEUE=$T/q
export RELAYKIT_QUEUE
printf 'Subject: x\r\n\r\nbody\r\n' >"$T/m"

put() { qput "$T/q" "$@" <"$T/m"; }
path() { find "$T/q/new" "$T/q/cur" "$T/q/hold" "$T/q/failed" -name "*.$1,*"; }

good=$(put a@example.net)
later=$(put -D $(($(date +%s) + 7200)) b@example.net)
put -F c@example.net >/dev/null
ok 'a good queue' smtp-queue check -v
is "$(cat "$T/.out")" '' 'is nothing to tell'
is "$(cat "$T/.err")" \
    'smtp-queue: 3 complete, 60 bytes; 0 in flight and not looked at; 0 set aside' 'but the sum'

# Each kind of damage, by hand.
short=$(put -s short short@example.net)
truncate -s -3 "$(path "$short")"
flip=$(put -s flip flip@example.net)
printf X | dd of="$(path "$flip")" bs=1 seek=$(($(stat -c %s "$(path "$flip")") - 3)) conv=notrunc 2>/dev/null
head=$(put -s head head@example.net)
printf '\0\0\0\0\0\0\0\0' | dd of="$(path "$head")" bs=1 conv=notrunc 2>/dev/null
rcpt=$(put -s rcpt rcpt@example.net)
sed -i 's/rcpt@example/rcpu@example/' "$(path "$rcpt")"
empty=$(put -s empty empty@example.net)
truncate -s 0 "$(path "$empty")"
: >"$T/q/new/README"
cp "$(path "$good")" "$T/q/hold/"
: >"$T/q/hold/$(printf 'x\033y')"

smtp-queue list >"$T/.out" 2>"$T/.err"
is "$(cut -f1 <"$T/.out" | sort -u | xargs)" "$(printf '%s\n' "$good" "$later" "$flip" | sort | xargs)" \
    'list shows what is complete, as far as it reads'
is "$(grep -c 'is not complete (smtp-queue check sets it aside)' "$T/.err")" 4 'and tells of the rest'

smtp-queue check >"$T/out" 2>"$T/err"
is "$?" 65 'check finds them'
for n in short flip head rcpt empty; do
	like "$(cat "$T/out")" "^damaged	new	[0-9]*\.[0-9a-z]{16},$n," "$n is damaged"
	is "$(ls "$T/q/damaged" | grep -c ",$n,") $(ls "$T/q/new" | grep -c ",$n,")" '1 0' 'and set aside'
done
like "$(cat "$T/out")" '^foreign	new	README	not an entry' 'a foreign file is told'
like "$(cat "$T/out")" '^foreign	hold	x\\x1by	' 'and escaped'
ok 'and left where it is' test -e "$T/q/new/README"
like "$(cat "$T/out")" "^twice	(new|hold)	[0-9]*\.$good," 'an id that is there twice'
is "$(grep -c '"type":"damaged"' "$T"/q/log/*.jsonl)" 5 'an event each'
is "$(sed -n 's/^{"type":"damaged".*"id":"\([^"]*\)".*/\1/p' "$T"/q/log/*.jsonl | sort)" \
    "$(printf '%s\n' "$short" "$flip" "$head" "$rcpt" "$empty" | sort)" 'with the id of each'
is "$(smtp-queue show "$good" | grep -c ^id) $(smtp-queue show "$later" | grep -c ^id)" '2 1' 'the good stay'

rm -r "$T/q/new/README" "$T/q/hold"/*
ok 'once more' smtp-queue check
is "$(cut -f1,2 <"$T/.out" | sort | uniq -c | xargs)" '5 earlier damaged' \
    'they are told again, and nothing new is found'
ok 'in JSON' sh -c 'smtp-queue check --json | tail -1 | grep -q "^{\"found\":\"earlier\",\"where\":\"damaged\",\"name\":"'

# A file that says it has a terabyte, and has none of it.
huge=$(put -s huge huge@example.net)
printf '%016d' 1099511627776 | dd of="$(path "$huge")" bs=1 seek=22 conv=notrunc 2>/dev/null
if truncate -s 1100000000000 "$(path "$huge")" 2>/dev/null; then
	timeout 20 smtp-queue check >"$T/out" 2>"$T/err"
	is "$?" 65 'a terabyte of holes is no message, and is not read'
	like "$(cat "$T/out")" "^damaged	new	[0-9]*\\.$huge,.*	a hole at byte [0-9]*\$" 'and that is said'
	rm "$T/q/damaged"/*"$huge"*
else
	rm "$(path "$huge")"
	result 0 'a terabyte of holes # SKIP no such files here'
fi

qlock "$(path "$good")" <"/dev/null" >/dev/null
mkfifo "$T/fifo"
qlock "$(path "$good")" <"$T/fifo" >"$T/locked" &
bg_pids="$bg_pids $!"
exec 9>"$T/fifo"
until_true 40 grep -q locked "$T/locked"
smtp-queue check -v >/dev/null 2>"$T/err"
is "$? $(cat "$T/err")" \
    '0 smtp-queue: 2 complete, 40 bytes; 1 in flight and not looked at; 0 set aside' \
    'what is in flight is left alone'
exec 9>&-

mkdir "$T/q/new/1795312377.0123456789abcdef,dir,0,example.net"
smtp-queue check >"$T/out" 2>"$T/err"
is "$? $(grep '^damaged' "$T/out")" \
    '65 damaged	new	1795312377.0123456789abcdef,dir,0,example.net	not a regular file' \
    'what is no file is set aside'
done_testing
