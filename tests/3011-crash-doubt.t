#!/bin/sh
# smtp-deliver while what it reads cannot be read; and, where in_doubt = hold, struck anywhere: then nobody
# ever gets a message twice, and a person decides about what is held.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/faults/sweep.sh"
. "$TOP/tests/faults/delivery.sh"

victim=$run

# What cannot be read is no reason to lose, to refuse or to double anything.
verify() {
	if killed; then verify_delivery 1; else verify_delivery 0; fi
}
errors="EIO EMFILE"
with="-rm -o open,openat,read,pread64,getdents64"
sweep 'deliver, what is read'

# With in_doubt = hold nobody gets a message twice, whatever happens; a person decides about what is held.
echo 'in_doubt = hold' >>"$T/conf"
verify() {
	$run >"$T/.out" 2>"$T/.err" || echo "the next run: exit $? $(cat "$T/.err")"
	got=$(received)
	[ -z "$(echo "$got" | uniq -d)" ] || echo "twice: $(echo "$got" | uniq -d | tr '\n' ',')"
	left=" $(entries "$T/q" | while read -r place id; do sed -n "s/^\(.*\) $id$/$place-\1/p" "$T/ids"; done | tr '\n' ' ')"
	for number in 1 2 3 4 5; do
		case $left in
		*" hold-$number "*) continue ;; # in doubt
		*" new-$number "*) echo "$number was not tried" ;;
		esac
		want_one=$(echo "$want" | grep "^$number ")
		[ "$(echo "$got" | grep "^$number ")" = "$want_one" ] || echo "$number: received $(echo "$got" | tr '\n' ',')"
	done
}
errors="EIO ENOSPC"
with=-L
sweep 'deliver, in_doubt = hold'
done_testing
