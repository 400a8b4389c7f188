#!/bin/sh
# The power is cut between any two writes of a real ext4's disk, recorded while the programs submit, serve,
# hold, release and deliver: after its recovery every acknowledged message is in the queue, or had been
# received before the cut.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/faults/sweep.sh"
need crashblk unshare mkfs.ext4 smtp-serve smtp-submit smtp-queue smtp-deliver smtp-trap
private_mounts "$0"

mkdir "$T/letters" "$T/shown"
: >"$T/letters_here"
for i in $(seq 30); do letter "$i" >"$T/letters/$i"; done
letter 31 300000 >"$T/letters/31"
disk_start ext4
q=$T/m/q
mkdir "$q"
chmod 700 "$q"
disk_from_here

# Marks: smtp-submit's own answers, a word where a step begins and ends, the peer's line for each
# message that it has received, written before it replies; each lies between the disk's own writes.
mark() { echo "$*" >>"$T/f/mark"; }
put() {
	for i in $(seq "$1" "$2"); do
		printf 'MAIL FROM:<a@example.org>\r\nRCPT TO:<%s>\r\nDATA\r\n' "$3"
		sed 's/^\./../' "$T/letters/$i"
		printf '.\r\n'
		echo "$i" >>"$T/order"
	done | smtp-submit --queue "$q" -odq -bS >>"$T/f/mark"
}
# serve data|bdat FIRST LAST: the same by a client of smtp-serve
serve() {
	echo 'hostname = "h.example"' >"$T/serve.conf"
	for i in $(seq "$2" "$3"); do
		printf 'MAIL FROM:<a@example.org>\r\nRCPT TO:<ok@one.example>\r\n'
		if [ "$1" = data ]; then
			printf 'DATA\r\n'
			sed 's/^\./../' "$T/letters/$i"
			printf '.\r\n'
		else
			printf 'BDAT 9\r\n'
			head -c 9 "$T/letters/$i"
			printf 'BDAT %s LAST\r\n' $(($(wc -c <"$T/letters/$i") - 9))
			tail -c +10 "$T/letters/$i"
		fi
		echo "$i" >>"$T/order"
	done >"$T/talk"
	{ printf 'EHLO me\r\n' && cat "$T/talk" && printf 'QUIT\r\n'; } |
	    smtp-serve -C "$T/serve.conf" --queue "$q" --no-sandbox >>"$T/f/mark"
}
put 1 1 ok@one.example
put 2 2 ok@two.example
put 31 31 ok@one.example
put 3 8 ok@one.example
mark holding
smtp-queue --queue "$q" hold --all && mark held
mark releasing
smtp-queue --queue "$q" release --all && mark released
put 16 16 defer-451@one.example
badpeer_start good --log "$T/f/mark"
printf 'connections = 2\nconnection_idle = 50ms\n' >"$T/conf"
mark delivering
smtp-deliver -C "$T/conf" --queue "$q" --relay "127.0.0.1:$PORT" --no-sandbox && mark delivered
put 17 22 ok@one.example
serve data 23 26
serve bdat 27 30
badpeer_stop
disk_stop
ok "$records writes, flushes and marks" test "$records" -gt 30

# acked: the ids in "$T/ack", in their order
acked() {
	sed -n 's/^250 2\.0\.0 \([0-9a-z]\{16\}\) queued.*/\1/p; s/^250 2\.0\.0 Ok: queued as \([0-9a-z]\{16\}\).*/\1/p' "$T/ack"
}
received() {
	sed -n 's/^GOT <\(.*\)@sweep> .*/\1/p' "$T/ack"
}
crashblk replay "$work/start" "$work/run" "$work/cut" "$records" all 0 >"$T/ack"
acked | paste -d' ' - "$T/order" >"$T/numbers"
is "$(wc -l <"$T/numbers") $(received | sort -n | uniq | wc -l)" '24 9' 'all are acknowledged, 9 were delivered'
is "$(grep -c '^held$\|^released$\|^delivered$' "$T/ack")" 3 'held, released, delivered'

reached() { grep -q "^$1\$" "$T/ack"; }

# look: what the marks promise is there
look() {
	q=$T/c/q
	acked >"$T/acked"
	received >"$T/received"
	[ ! -d "$q/new" ] || smtp-queue --queue "$q" check >"$T/.check" 2>&1
	entries "$q" new cur hold >"$T/entries"
	rm -f "$T/shown"/*
	while read -r _ id; do
		smtp-queue --queue "$q" show --message "$id" >"$T/shown/$id" 2>&1
	done <"$T/entries"
	: >"$T/letters_here"
	[ ! -s "$T/entries" ] || letters_in "$T/shown"/* >"$T/letters_here"
	ls "$T/shown" | paste -d' ' - "$T/letters_here" >"$T/here"
	sed -n 's/ torn$/ is not whole/p' "$T/here"
	cut -d' ' -f1 "$T/here" | sort | uniq -d | sed 's/$/ has two names/'
	while read -r id; do
		number=$(sed -n "s/^$id //p" "$T/numbers")
		grep -q "^$id $number\$" "$T/here" || grep -q "^$number\$" "$T/received" ||
			echo "$id, acknowledged, is lost"
	done <"$T/acked"
	if reached held && ! reached releasing; then
		sed -n 's/^new \(.*\)/\1 is not held/p' "$T/entries"
	elif reached released && ! reached delivering; then
		sed -n 's/^hold \(.*\)/\1 is not released/p' "$T/entries"
	elif reached delivered; then
		cut -d' ' -f2 "$T/here" | sort >"$T/waiting"
		sort "$T/received" | comm -12 - "$T/waiting" | sed 's/$/ was delivered, and waits again/'
	fi
}

disk_cuts
done_testing
