#!/bin/sh
# smtp-deliver, struck at every system call that changes something while it delivers, defers and gives
# up: nobody loses a message, nobody gets it twice but where the process died between the
# peer's last word and the next system call, and the next run ends the job.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/faults/sweep.sh"
need faultrun smtp-submit smtp-queue smtp-deliver smtp-trap

mkdir "$T/letters"
queue_letter() {
	letter "$1" >"$T/letters/$1"
	n=$1
	shift
	smtp-submit --queue "$T/template" -odq -v -f a@example.org "$@" <"$T/letters/$n" |
		sed "s/^/$n /;s/\t.*//;q" >>"$T/ids"
}
queue_letter 1 ok1@one.example
queue_letter 2 ok2@one.example ok3@two.example
queue_letter 3 defer-451@one.example
queue_letter 4 reject-550@one.example
queue_letter 5 ok5@one.example reject-550@one.example defer-451@one.example
is "$(entries "$T/template" new | wc -l)" 5 'five messages wait'
trap_start
cat >"$T/conf" <<'END'
connections = 1
site_connections = 1
connection_idle = 50ms
timeout_final = 5s
timeout_quit = 2s
END
run="smtp-deliver -C $T/conf --queue $T/q --relay 127.0.0.1:$PORT --now --no-sandbox"

prepare() {
	rm -rf "$T/q" "$T/trap/new"/*
	cp -a "$T/template" "$T/q"
}

# received: "LETTER RECIPIENT" of all that the trap has
received() {
	[ -z "$(ls "$T/trap/new")" ] || letters_in "$T/trap/new"/* |
		awk '{ for (i = 2; i <= NF; i++) print $1, $i }' | sort
}
want='1 ok1@one.example
2 ok2@one.example
2 ok3@two.example
5 ok5@one.example'

# places: "PLACE LETTER" of all that is in the queue
places() {
	entries "$T/q" | while read -r place id; do
		sed -n "s/^\(.*\) $id$/$place \1/p" "$T/ids"
	done | sort | tr '\n' ','
}

# verify_delivery TWICE: how many letters may have been sent twice at such a point
verify_delivery() {
	$run >"$T/.out" 2>"$T/.err" || echo "the next run: exit $? $(cat "$T/.err")"
	got=$(received)
	[ "$(echo "$got" | uniq)" = "$want" ] || echo "received: $(echo "$got" | tr '\n' ',')"
	twice=$(echo "$got" | uniq -d | cut -d' ' -f1 | uniq | wc -l)
	[ "$twice" -le "$1" ] || echo "$twice letters came twice: $(echo "$got" | uniq -c | tr '\n' ',')"
	echo "$got" | uniq -c | grep -q '^ *[3-9]' && echo "one came thrice"
	[ "$(places)" = "cur 3,cur 5,failed 4," ] || echo "in the end: $(places)"
	smtp-queue --queue "$T/q" check >"$T/.check" 2>&1 || echo "check: $(cat "$T/.check")"
}
prepare
$run
is "$? $(received)" "0 $want" 'without a strike: what can be delivered is'
is "$(how='' rc=0 verify_delivery 0)" '' 'and the rest deferred or failed'

# Where the journal cannot be written any more after the peer has taken a message for some of its
# recipients, nobody can know of it later. (A full disk is no such case: there is room set aside.)
verify() {
	case $rc:$(cat "$T/said") in
	137:* | *"-E at call "*": pwrite64"*) verify_delivery 1 ;;
	*) verify_delivery 0 ;;
	esac
}
victim=$run
sweep 'deliver'

# The network: what we do not know, we send again.
verify() { verify_delivery 1; }
errors="ECONNRESET ETIMEDOUT"
with="-L -o connect,sendto,sendmsg,recvfrom,recvmsg,shutdown"
sweep 'deliver, strikes at the network'

# What cannot be read is no reason to lose, to refuse or to double anything.
verify() {
	case $(cat "$T/said") in
	*"loading shared libraries"*) return ;;
	*) verify_delivery 0 ;;
	esac
}
errors="EIO EMFILE"
with="-r -o open,openat,read,pread64,getdents64"
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
