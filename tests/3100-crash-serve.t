#!/bin/sh
# smtp-serve, struck at every system call that changes something, for DATA, for BDAT and for mail from a
# stranger: what was answered with 250 is in the queue once and whole; what was not is there once or not at all; what was
# refused is not there; the next one works.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/faults/sweep.sh"
need_faultrun
need smtp-serve smtp-submit smtp-queue

mkdir "$T/letters"
letter 1 >"$T/letters/1"
letter 2 >"$T/letters/2"
letter 3 600000 >"$T/letters/3"
# The process serves; what it has to say about a disk it says to its client and on standard error.
plain_death() {
	case $how:$rc in
	-k:137 | -a:137) ;;
	*:124) echo "it hangs; " ;;
	*:125 | *:126 | *:127) echo "the test is wrong; " ;;
	*:12[89] | *:1[3-9]? | *:2??) echo "it died of a signal; " ;;
	esac
}
bytes() {
	wc -c <"$1"
}
# A conversation with two messages
{
	printf 'EHLO me\r\n'
	for i in 1 2; do
		printf 'MAIL FROM:<a@example.org>\r\nRCPT TO:<b%s@example.net>\r\nDATA\r\n' $i
		sed 's/^\./../' "$T/letters/$i"
		printf '.\r\n'
	done
	printf 'QUIT\r\n'
} >"$T/data"
{
	printf 'EHLO me\r\n'
	for i in 1 3; do
		printf 'MAIL FROM:<a@example.org>\r\nRCPT TO:<b%s@example.net>\r\n' $i
		printf 'BDAT 10\r\n'
		head -c 10 "$T/letters/$i"
		printf 'BDAT %s LAST\r\n' $(($(bytes "$T/letters/$i") - 10))
		tail -c +11 "$T/letters/$i"
	done
	printf 'QUIT\r\n'
} >"$T/bdat"

prepare() {
	rm -rf "$T/q"
	smtp-submit --queue "$T/q" -odq x@example.org <"$T/letters/1"
	rm -f "$T"/q/new/*
}
verify() {
	tr -d '\r' <"$T/ack" | sed -n 's/^250 2\.0\.0 Ok: queued as \([0-9a-z]\{16\}\)$/\1/p' >"$T/acked"
	refused=$(grep -c '^[45]' "$T/ack")
	entries_whole
	[ "$found" -le $((2 - (refused > 0))) ] || [ "$refused" -eq 0 ] || echo "$found entries, $refused refused"
	[ "$found" -le 2 ] || echo "$found entries of two messages"
	# An answer that could not be written leaves one open.
	[ "$found" -le $(($(wc -l <"$T/acked") + 1)) ] || echo "$found entries, $(wc -l <"$T/acked") acknowledged"
	sound
}
victim="smtp-serve --queue $T/q --no-sandbox"
input=$T/data
sweep 'DATA'
input=$T/bdat
sweep 'BDAT'
# A stranger's, for a domain of ours: the entry is written again behind what is found out about it, from
# memory (the first) and from its file (the second).
sed '/^RCPT/s/example\.net/example.com/' "$T/bdat" >"$T/received"
printf 'b1\nb3: b3, far@example.net\n' >"$T/addresses"
cat >"$T/conf" <<END
hostname = "h.example"
route "*" { relay = "127.0.0.1:9" }
local "example.com" { addresses = "$T/addresses" }
serve { spf = off dmarc = off }
listen "mx" { auth = none }
END
TCPREMOTEIP=192.0.2.9
export TCPREMOTEIP
victim="smtp-serve -C $T/conf --queue $T/q --no-sandbox --as mx"
input=$T/received
sweep 'received'
done_testing
