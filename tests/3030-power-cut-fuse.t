#!/bin/sh
# The power is cut at every operation of a file system that forgets what was not synced, with and without
# luck for the unsynced: no accepted message is lost, none is half there, the next run ends the job.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/faults/sweep.sh"
. "$TOP/tests/faults/cuts.sh"
need crashfs unshare smtp-submit smtp-queue smtp-deliver smtp-trap
private_mounts "$0"
# Three models of a file system share the points of one.
[ "$FAULT_POINTS" = all ] || FAULT_POINTS=$((FAULT_POINTS / 5 + 1))

mkdir "$T/letters"
for i in 1 2 3; do letter $i >"$T/letters/$i"; done
# --- what is put in: an acknowledged message is there, whole; check sets aside what was cut

submit_all() {
	prepare() { empty; }
	verify() {
		check
		here=$(numbers)
		[ "$rc" -ne 0 ] || [ "$here" = 1 ] || echo "accepted, and there is: $here"
		[ "$(echo "$here" | uniq)" = "$here" ] || echo "twice: $here"
		case $here in *BAD*) echo "not whole" ;; esac
		smtp-submit --queue "$q" -odq x@example.org <"$T/letters/2" 2>"$T/.err" ||
			echo "the next one: $(cat "$T/.err")"
	}
	victim="smtp-submit --queue $q -odq -f a@example.org b@example.net" input=$T/letters/1
	cuts 'submit to a queue that is not there yet'

	prepare() {
		empty
		mkdir -p "$q/new"
		chmod 700 "$q" "$q/new"
		sync_all
	}
	cuts 'submit'
	verify() { promised; }
	victim="smtp-submit --queue $q -odq -bS" input=$T/batch
	cuts 'submit -bS'
	input=/dev/null
}
for i in 1 2 3; do
	printf 'MAIL FROM:<a@example.org>\r\nRCPT TO:<b%s@example.net>\r\nDATA\r\n' "$i"
	sed 's/^\./../' "$T/letters/$i"
	printf '.\r\n'
done >"$T/batch"

# --- what is moved: it is in one of both places, whole; after success in the new one

for i in 1 2 3; do
	smtp-submit --queue "$T/template" -odq -f a@example.org "b$i@one.example" <"$T/letters/$i"
done
cp -a "$T/template" "$T/held"
smtp-queue --queue "$T/held" hold --all

# moved PLACE: success means that all are there
moved() {
	check
	here=$(numbers | tr '\n' ' ')
	[ "$here" = '1 2 3 ' ] || echo "there is: $here"
	[ "$rc" -ne 0 ] || [ "$(entries "$q" "$1" | wc -l)" -eq 3 ] || echo "success: $(entries "$q" | tr '\n' ',')"
	# shellcheck disable=SC2086
	$victim >"$T/.out" 2>&1 || echo "the next run: $(cat "$T/.out")"
	[ "$(entries "$q" "$1" | wc -l)" -eq 3 ] || echo "after the next run: $(entries "$q" | tr '\n' ',')"
}
queue_all() {
	prepare() { copy_of "$T/template"; }
	verify() { moved hold; }
	victim="smtp-queue --queue $q hold --all"
	cuts 'hold'
	prepare() { copy_of "$T/held"; }
	verify() { moved new; }
	victim="smtp-queue --queue $q release --all"
	cuts 'release'
	prepare() { copy_of "$T/template"; }
	verify() {
		check
		numbers | grep -q BAD && echo "not whole"
		[ "$rc" -ne 0 ] || [ -z "$(numbers)" ] || echo "success, and there is: $(numbers | tr '\n' ' ')"
	}
	victim="smtp-queue --queue $q remove --all"
	cuts 'remove'
}

# --- what is sent: a message that the peer does not have is in the queue; twice only what was in the
# last group of completions, and never from a run that failed to note it

trap_start
printf 'connections = 1\nconnection_idle = 50ms\nnotices { bounce = none }\n' >"$T/conf"
{ cat "$T/conf" && echo 'in_doubt = hold'; } >"$T/conf.hold"
smtp-submit --queue "$T/mixed" -odq -f a@example.org ok@one.example <"$T/letters/1"
smtp-submit --queue "$T/mixed" -odq -f a@example.org ok@one.example defer-451@one.example <"$T/letters/2"
smtp-submit --queue "$T/mixed" -odq -f a@example.org reject-550@one.example <"$T/letters/3"
deliver_all() {
	prepare() {
		rm -f "$T/trap/new"/*
		copy_of "$T/mixed"
	}
	verify() {
		check
		[ -z "$(entries "$q" damaged)" ] || echo "one was set aside"
		$victim >"$T/.out" 2>&1 || echo "the next run: $(cat "$T/.out")"
		got=$(cat "$T/trap/new"/* | sed -n 's/^Message-ID: <\(.*\)@sweep>.*/\1/p' | sort)
		[ "$(echo "$got" | uniq | tr '\n' ' ')" = '1 2 ' ] || echo "received: $(echo "$got" | tr '\n' ' ')"
		[ "$(echo "$got" | wc -l)" -le 4 ] || echo "more than twice: $(echo "$got" | tr '\n' ' ')"
		[ "$(entries "$q" | cut -d' ' -f1 | sort | tr '\n' ' ')" = 'cur failed ' ] ||
			echo "in the end: $(entries "$q" | tr '\n' ',')"
	}
	victim="smtp-deliver -C $T/conf --queue $q --relay 127.0.0.1:$PORT --now --no-sandbox"
	cuts 'deliver'
	verify() {
		check
		$victim >"$T/.out" 2>&1 || echo "the next run: $(cat "$T/.out")"
		got=$(cat "$T/trap/new"/* 2>/dev/null | sed -n 's/^Message-ID: <\(.*\)@sweep>.*/\1/p' | sort)
		[ -z "$(echo "$got" | uniq -d)" ] || echo "twice: $(echo "$got" | tr '\n' ' ')"
		for number in 1 2; do
			echo "$got" | grep -q "^$number$" || numbers | grep -q "^$number$" || echo "$number is lost"
		done
	}
	victim="smtp-deliver -C $T/conf.hold --queue $q --relay 127.0.0.1:$PORT --now --no-sandbox"
	cuts 'deliver, in_doubt = hold'
}

# --- who has the message is written down for good before it waits for others, whose site is closed

{ cat "$T/conf" && printf 'route "one.example" { relay = "127.0.0.1:%s" }\n' "$PORT" &&
    echo 'route "two.example" { relay = "127.0.0.1:9" }'; } >"$T/conf.two"
smtp-submit --queue "$T/two" -odq -f a@example.org ok@one.example ok@two.example <"$T/letters/1"
mkdir -p "$T/two/state/sites"
echo 'allowed=8 slowed=0 failures=2 closed_for=3000' >"$T/two/state/sites/127.0.0.1:9"
deliver_to_two() {
	rm -f "$T/trap/new"/*
	copy_of "$T/two"
	smtp-deliver -C "$T/conf.two" --queue "$q" --no-sandbox
	rc=$?
	fs 'crash'
	fs 'recover'
	smtp-deliver -C "$T/conf.two" --queue "$q" --no-sandbox --now
	is "$rc $? $(cat "$T/trap/new"/* | grep -c '^Message-ID:') $(entries "$q" | cut -d' ' -f1)" '0 0 1 cur' \
	    "$model: who has it does not get it again for the sake of one whose site is closed"
}

for model in journal strict 'no O_TMPFILE'; do
	case $model in
	journal) crashfs_start "$T/m" ;;
	strict) crashfs_start "$T/m" -s ;;
	*) crashfs_start "$T/m" -s -t ;;
	esac
	submit_all
	case $model in no*) ;; *) queue_all && deliver_all && deliver_to_two ;; esac
	crashfs_stop
done
done_testing
