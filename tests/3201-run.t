#!/bin/sh
# A run's own affairs: its clock, its log, its second look.
. "$(dirname "$0")/lib.sh"

export RELAYKIT_QUEUE="$T/queue" RELAYKIT_CONFIG="$T/conf"
trap_start
cat >"$T/conf" <<END
keep_failed = 1h
notices { bounce = none }
route "*" { relay = "127.0.0.1:$PORT" }
END
submit() {
	printf 'Subject: x\n\nx\n' | smtp-submit -odq -f a@example.org "$@"
}

# --- failed/ is kept for a time, by a clock that may be believed

submit reject-550@example.org
smtp-deliver
now=$(date +%s)
old=$T/queue/failed/$(date -u -d "@$((now - 86400))" +%Y%m%d%H)
mkdir "$old"
mv "$T"/queue/failed/*/*,* "$old/"
echo "latest=$((now - 90 * 86400)) candidate=0 last=0" >"$T/queue/state/clock"
fails 'a clock far ahead is told' 0 \
    'smtp-deliver: the clock is far ahead of when it was last seen: nothing is expired' smtp-deliver
is "$(find "$old" -type f | wc -l)" 1 'and throws nothing away'
echo "latest=$now candidate=0 last=0" >"$T/queue/state/clock"
ok 'a clock that is right' smtp-deliver
is "$(find "$T/queue/failed" -type f | wc -l)" 0 'throws away what is over its time'

# --- what it loads: finding names takes a library that is slow to start with

loads_ldns() {
	submit "a@$1.example"
	LD_DEBUG=files smtp-deliver 2>&1 | grep -q 'calling init.*libldns'
}
! loads_ldns by-address
result $? 'who knows where all mail goes loads nothing to find it'
sed 's/127\.0\.0\.1/localhost/' "$T/conf" >"$T/conf.named"
(RELAYKIT_CONFIG=$T/conf.named && loads_ldns by-name)
result $? 'who may have to ask does so in time'

# --- sites that nobody has sent to for a month

old=$T/queue/state/sites/long-ago.example
touch -d "@$((now - 31 * 86400))" "$old"
smtp-deliver
is "$(ls "$old")" "$old" 'are not looked for in each run'
# A whole day ago would be a jump where a second has gone by since.
run_on_new_day() {
	echo "latest=$(($(date +%s) / 86400 * 86400 - 1)) candidate=0 last=0" >"$T/queue/state/clock"
	smtp-deliver
	[ ! -e "$old" ]
}
until_true 3 run_on_new_day && [ -n "$(ls "$T/queue/state/sites")" ]
result $? 'but forgotten once a day, and only they'

# --- what sent/ keeps is written down right behind the final reply, too

rm -rf "$T/queue" "$T/trap/new"/*
cat >"$T/conf" <<END
keep_sent = 1d
notices { bounce = none }
route "*" { relay = "127.0.0.1:$PORT" }
END
received() {
	find "$T/trap/new" -type f | wc -l
}
submit one@example.org
calls=$(faultrun -n smtp-deliver 2>&1 | sed -n 's/^faultrun: calls //p')
twice=0 n=1
while [ $n -le "${calls:-0}" ]; do
	rm -rf "$T/queue"
	before=$(received)
	submit one@example.org
	faultrun -k $n smtp-deliver 2>/dev/null
	smtp-deliver
	[ "$(received)" -eq $((before + 1)) ] || twice=$((twice + 1))
	n=$((n + 1))
done
ok "killed before each of $calls calls" test "${calls:-0}" -gt 5
ok "the message comes twice ($twice) only where it died before the next call" test "$twice" -le 1

# --- what a member of the submitters' group can put into new/

rm -rf "$T/queue" "$T/trap/new"/*
cat >"$T/conf" <<END
route "*" { relay = "127.0.0.1:$PORT" }
END
submit one@example.org
name=$(basename "$T"/queue/new/*)
odd() { # odd N: a name of its own
	echo "$name" | sed "s/^[0-9]*\.../0000000001.$1$1/"
}
echo secret >"$T/secret"
ln -s "$T/secret" "$T/queue/new/$(odd 1)"
ln -s "$T/nothing" "$T/queue/new/$(odd 2)"
mkfifo "$T/queue/new/$(odd 3)"
mkdir "$T/queue/new/$(odd 4)"
perl -MIO::Socket::UNIX -e 'chdir shift or die; IO::Socket::UNIX->new(Local => shift, Listen => 1) or die' \
    "$T/queue/new" "$(odd 5)"
# the head of an envelope of 4 GB, in a file with a hole
printf 'relaykit 1 4294967295 0000000000000000 00000000 00000000 ---\n' >"$T/queue/new/$(odd 6)"
truncate -s 5G "$T/queue/new/$(odd 6)"
# A sanitizer maps terabytes for itself.
limit='ulimit -v 4000000;'
grep -q '__[at]san_init' "$BUILD/bin/smtp-deliver" && limit=
ok 'neither links nor holes keep a run from its end' sh -c "$limit timeout 20 smtp-deliver"
is "$(find "$T/trap/new" -type f | wc -l)" 1 'the message went'
is "$(ls "$T/queue/damaged" | wc -l) $(ls "$T/queue/new" | wc -l)" '2 0' 'all others are gone or set aside'
ok 'and nobody has followed a link' grep -qx secret "$T/secret"
is "$(cat "$T"/queue/log/* | grep -c '"type":"damaged"')" 6 'each is told'

# --- a log that cannot be opened

rm -rf "$T/queue" "$T/trap/new"/*
submit one@example.org
for d in 0 1; do # today, and should midnight pass
	mkdir -p "$T/queue/log/events-$(date -u -d "+$d day" +%Y%m%d).jsonl"
done
said=$(smtp-deliver 2>&1)
is "$? $(echo "$said" | sed -E 's/-[0-9]{8}/-DAY/')" \
    '75 smtp-deliver: 4 event lines could not be written: open log/events-DAY.jsonl: Is a directory' 'is told, and why'
is "$(received)" 1 'but stops no mail'

fails 'a relay that cannot be one, before it costs an attempt' 64 \
    'smtp-deliver: --relay: "a b" is not HOST, HOST:PORT or [ADDRESS]:PORT' smtp-deliver --relay 'a b'
rm -rf "$T/queue/log"/* "$T/queue/new"/*
submit one@nosuch.invalid
# Nobody answers at that port, and the configuration has no route here.
echo 'timeout_dns = 1s' >"$T/dns.conf"
ok 'a run for one site' smtp-deliver -C "$T/dns.conf" --site mx.example.org --resolver 127.0.0.1@9
is "$(ls "$T/queue/new" | wc -l) $(cat "$T/queue/log"/* | grep -c -e deferred -e bounced)" '1 0' \
    'leaves alone what it cannot find the site of'
# --- who finds run.lock taken starts nobody: whoever holds it tries his message, too

rm -rf "$T/queue" "$T/trap/new"/*
first=$PORT
trap_start
cat >"$T/conf" <<END
notices { bounce = none }
route "other.example" { relay = "127.0.0.1:$first" }
route "*" { relay = "127.0.0.1:$PORT" }
END
# $1: the message of whom is under way
under_way() {
	until_true 20 sh -c "grep -q 'accepted.*$1' '$T/queue/log'/*"
}
got() {
	[ "$(grep -rl "^X-Envelope-To: <$1>" "$T/trap/new" | wc -l)" -eq 1 ]
}
printf '\nx\n' | smtp-submit -odi -f a@example.org slow-2s+1@example.org &
under_way slow-2s+1
printf '\nx\n' | smtp-submit -odb -f a@example.org one@other.example
wait $!
ok 'a run for one message keeps no other waiting' until_true 20 got one@other.example
submit slow-2s+2@example.org
smtp-deliver --site "127.0.0.1:$PORT" &
under_way slow-2s+2
printf '\nx\n' | smtp-submit -odb -f a@example.org two@other.example
wait $!
ok 'nor one for a site' until_true 20 got two@other.example

# A submitter whose disk is slow: it is given up after 8 seconds, and let go while the run is still at work.
submit slow-11s@example.org
submit three@other.example
sleep 0.1 # so that it has not come while the run looks
mkfifo "$T/fifo"
PATH=$BUILD/helpers:$PATH qlock "$T/queue/new/"*other.example <"$T/fifo" >"$T/locked" &
exec 9>"$T/fifo"
until_true 20 grep -q locked "$T/locked"
smtp-deliver 9>&- &
run=$!
under_way slow-11s
sleep 9
exec 9>&-
ok 'the run is still at work' kill -0 $run
wait $run
ok 'one that was locked for long goes behind the others' got three@other.example

# --- whose file it is has it open still, and changes what has been looked at

if [ "$(id -u)" -eq 0 ]; then
	rm -f "$T/trap/new"/*
	{ printf 'Subject: x\n\n' && yes 'a line of text that is there often' | head -c 300000; } |
	    smtp-submit -odq -f a@example.org slow-2s+3@example.org
	chown nobody "$T/queue/new"/*
	smtp-deliver &
	run=$!
	under_way slow-2s+3
	ok 'a bare CR' python3 -c 'import os, sys
f = os.open(sys.argv[1], os.O_RDWR)
os.pwrite(f, b"\r.\r", os.read(f, 1 << 20).index(b"\r\n", 200000) - 9)' "$T/queue/new"/*,*
	wait $run
	like "$(cat "$T/queue/log"/* | grep deferred | tail -n 1)" 'sending: the queue file is not what it was' 'leaves nobody'
	smtp-deliver --now
	is "$(ls "$T/queue/damaged" | wc -l) $(ls "$T/trap/new" | wc -l)" '1 0' 'and the message is set aside'
else
	result 0 'a file that is changed # SKIP not root'
fi

# --- what is named and is not there

unset RELAYKIT_QUEUE
fails 'a queue named by option is not made' 66 "smtp-deliver: queue $T/typo: no such directory" \
    smtp-deliver --queue "$T/typo"
fails 'nor by a run that stays' 66 "smtp-deliver: queue $T/typo: no such directory" \
    timeout 10 smtp-deliver --follow --queue "$T/typo"
ok 'and there is none' test ! -e "$T/typo"
: >"$T/file"
fails 'a file is no queue' 75 "smtp-deliver: queue $T/file: open: Not a directory" smtp-deliver --queue "$T/file"
mkdir -m 700 "$T/empty"
ok 'a directory becomes one' smtp-deliver --queue "$T/empty"
ok 'with all it needs' test -d "$T/empty/state/sites"
ok 'the one of the environment is made' env RELAYKIT_QUEUE="$T/env" smtp-deliver
ok 'as smtp-submit would' test -d "$T/env/new"
printf 'queue = "%s"\n' "$T/by.conf" >"$T/conf2"
ok 'so is the one of the configuration' smtp-deliver -C "$T/conf2"
ok 'it is there' test -d "$T/by.conf/new"

for r in x 192.0.2.1@ 192.0.2.1@0 192.0.2.1@65536 192.0.2.1,x ,; do
	item=${r##*,}
	fails "--resolver $r is judged with the options" 64 \
	    "smtp-deliver: --resolver: resolver \"$item\": not ADDRESS or ADDRESS@PORT" \
	    smtp-deliver --queue "$T/typo" --resolver "$r"
done
ok 'a good one' smtp-deliver --queue "$T/empty" --resolver 192.0.2.1,2001:db8::1@5353
printf 'resolver = "x"\n' >"$T/conf2"
fails 'one of the configuration too' 78 'smtp-deliver: resolver "x": not ADDRESS or ADDRESS@PORT' \
    smtp-deliver -C "$T/conf2" --queue "$T/empty"
done_testing
