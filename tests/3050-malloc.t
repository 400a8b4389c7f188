#!/bin/sh
# Memory runs out, at every allocation: the programs end with 75, or go on; nothing is lost or doubled.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/faults/sweep.sh"
need smtp-submit smtp-queue smtp-deliver smtp-trap
. "$TOP/tests/faults/malloc.sh"

mkdir "$T/letters"
for i in 1 2 3; do letter $i >"$T/letters/$i"; done

prepare() { rm -rf "$T/q"; }
verify() {
	ended
	set -- $(entries "$T/q" | ids)
	[ "$rc:$#" = 0:1 ] || [ "$rc:$#" = 75:0 ] || [ "$rc:$#" = 70:0 ] || echo "exit $rc, $# entries"
	for id; do
		[ "$(entry_ok "$T/q" "$id")" = 1 ] || echo "$id is not whole"
	done
}
victim="smtp-submit --queue $T/q -odq -f a@example.org b@example.net c@example.net"
input=$T/letters/1
sweep 'submit'
victim="smtp-submit --queue $T/q -odq -t -f a@example.org" # without -f: getpwuid of glibc aborts
sweep 'submit -t'

for i in 1 2 3; do
	smtp-submit --queue "$T/template" -odq -f a@example.org "b$i@one.example" <"$T/letters/$i"
done
input=/dev/null
prepare() {
	rm -rf "$T/q" "$T/trap/new"/*
	cp -a "$T/template" "$T/q"
}
whole() {
	ended
	[ "$(entries "$T/q" | wc -l)" -eq 3 ] || echo "$(entries "$T/q" | wc -l) entries of 3"
	[ -z "$(entries "$T/q" damaged)" ] || echo "one was set aside"
}
verify() { whole; }
victim="smtp-queue --queue $T/q list"
sweep 'queue list'
victim="smtp-queue --queue $T/q check"
sweep 'queue check'
verify() {
	whole
	smtp-queue --queue "$T/q" hold --all >"$T/.out" 2>&1 || echo "the next run: $(cat "$T/.out")"
	[ "$(entries "$T/q" hold | wc -l)" -eq 3 ] || echo "the next run did not hold all"
}
victim="smtp-queue --queue $T/q hold --all"
sweep 'queue hold'

trap_start
printf 'connections = 1\nconnection_idle = 50ms\n' >"$T/conf"
victim="smtp-deliver -C $T/conf --queue $T/q --relay 127.0.0.1:$PORT --now --no-sandbox"
verify() {
	ended
	$victim >"$T/.out" 2>&1 || echo "the next run: $(cat "$T/.out")"
	[ "$(entries "$T/q" | wc -l)" -eq 0 ] || echo "$(entries "$T/q" | wc -l) are left"
	got=$(cat "$T"/trap/new/* | sed -n 's/^Message-ID: <\(.*\)@sweep>.*/\1/p' | sort)
	[ "$(echo "$got" | uniq | tr '\n' ' ')" = '1 2 3 ' ] || echo "received: $(echo "$got" | tr '\n' ' ')"
	# To die without memory is to die: one message may have been on its way.
	[ "$(echo "$got" | uniq -d | wc -l)" -le 1 ] || echo "more than one came twice"
}
sweep 'deliver'
done_testing
