#!/bin/sh
# smtp-submit and smtp-submit -bS, struck at every system call that changes something: what was
# accepted is in the queue once and whole, what was refused is not there, the next one works.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/faults/sweep.sh"
need_faultrun
need smtp-submit smtp-queue

mkdir "$T/letters"
for i in 1 2 3; do letter $i >"$T/letters/$i"; done
letter 4 600000 >"$T/letters/4"

# one message, one entry

prepare() {
	rm -rf "$T/q"
}
verify() {
	found=$(entries "$T/q" | ids)
	# shellcheck disable=SC2086
	set -- $found
	for id; do
		[ "$(entry_ok "$T/q" "$id")" = "$letter" ] || echo "$id is not whole"
	done
	case $rc:$# in
	0:1) ;;
	0:*) echo "accepted, and $# entries" ;;
	137:[01]) ;;
	*:0) [ -s "$T/said" ] || echo "refused without a word" ;;
	*) echo "refused, and $# entries" ;;
	esac
	sound
}
victim="smtp-submit --queue $T/q -odq -f a@example.org b@example.net c@example.net"
letter=1 input=$T/letters/1
sweep 'submit'
letter=4 input=$T/letters/4
sweep 'submit, 600 KB'

# What cannot be read, or opened: refused, or taken all the same.
with="-rm -o open,openat,read,pread64,getdents64"
errors="EIO EMFILE"
letter=1 input=$T/letters/1
sweep 'submit, what is read'
with=
errors="EIO ENOSPC"

# a batch

{
	echo "HELO test"
	for i in 1 2 3; do
		printf 'MAIL FROM:<a@example.org>\r\nRCPT TO:<b%s@example.net>\r\nDATA\r\n' "$i"
		sed 's/^\./../' "$T/letters/$i"
		printf '.\r\n'
	done
	echo QUIT
} >"$T/batch"

prepare_batch() {
	rm -rf "$T/q"
	smtp-submit --queue "$T/q" -odq x@example.org <"$T/letters/1"
	rm -f "$T"/q/new/*
}
# An answer that could not be written leaves open whether the message was taken, as with any server.
verify_batch() {
	sed -n 's/^250 2\.0\.0 \([0-9a-z]\{16\}\) queued.*/\1/p' "$T/ack" | tr -d '\r' >"$T/acked"
	refused=$(grep -c '^[45]' "$T/ack")
	entries_whole
	most=$((3 - refused))
	[ "$found" -le "$most" ] || echo "$found entries, $refused refused"
	[ "$rc" -ne 0 ] || [ "$found" -eq 3 ] || echo "success, and $found entries"
	[ "$rc" -eq 0 ] || killed || [ -s "$T/said" ] || [ "$refused" -gt 0 ] || echo "failed without a word"
	sound
}
prepare() { prepare_batch; }
verify() { verify_batch; }
victim="smtp-submit --queue $T/q -odq -bS"
input=$T/batch
sweep 'submit -bS'
done_testing
