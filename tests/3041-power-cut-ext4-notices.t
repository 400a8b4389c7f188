#!/bin/sh
# The power is cut between any two writes of a real ext4's disk, recorded while senders are told of what has
# failed: after its recovery the next run tells what was not told, and what it tells again has the
# Message-ID that it had.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/faults/sweep.sh"
need crashblk unshare mkfs.ext4 smtp-submit smtp-queue smtp-deliver smtp-trap
private_mounts "$0"
[ "$FAULT_POINTS" = all ] || FAULT_POINTS=$((FAULT_POINTS / 10 + 1))

mkdir "$T/letters"
for i in 1 2 3 4; do letter "$i" >"$T/letters/$i"; done
disk_start ext4
q=$T/m/q
mkdir "$q"
chmod 700 "$q"
for i in 1 2 3 4; do
	smtp-submit --queue "$q" -odq -f "s$i@example.org" reject-550@one.example <"$T/letters/$i"
done
entries "$q" | ids | sort >"$T/ids"
disk_from_here
badpeer_start good --log "$T/f/mark"
printf 'connections = 2\nconnection_idle = 50ms\nhostname = "h.example"\n' >"$T/conf"
smtp-deliver -C "$T/conf" --queue "$q" --relay "127.0.0.1:$PORT" --no-sandbox
is "$?" 0 'four notices'
# who is told of what by which
sed -n 's/.*"type":"notified".*"id":"\([^"]*\)".*"notice":"\([^"]*\)".*/\1 \2/p' "$q"/log/* | sort >"$T/told"
is "$(cut -d ' ' -f 1 "$T/told")" "$(cat "$T/ids")" 'one each'
badpeer_stop
disk_stop
ok "$records writes, flushes and marks" test "$records" -gt 20
trap_start

# look: what was received before the cut, and comes after it
look() {
	q=$T/c/q
	rm -f "$T/trap/new"/*
	sed -n 's/^GOT <\(.*\)@h\.example> .*/\1/p' "$T/ack" >"$T/before"
	smtp-deliver -C "$T/conf" --queue "$q" --relay "127.0.0.1:$PORT" --now --no-sandbox >"$T/out" 2>&1 || echo "the next run: $(cat "$T/out")"
	for f in "$T/trap/new"/*; do
		[ -e "$f" ] && awk '{ sub(/\r$/, "") }
			/^Message-ID: </ && !id { id = substr($2, 2, 16) }
			/^X-Relaykit-Message: / { print $2, id; exit }' "$f"
	done | sort >"$T/after"
	while read -r about notice; do
		again=$(sed -n "s/^$about //p" "$T/after")
		if grep -q "^$notice\$" "$T/before"; then
			[ -z "$again" ] || [ "$again" = "$notice" ] || echo "$about is told of twice: $notice $again"
		elif [ -z "$again" ]; then
			echo "nobody is told of $about"
		fi
	done <"$T/told"
	[ "$(entries "$q" failed | ids | sort)" = "$(cat "$T/ids")" ] || echo "in the end: $(entries "$q" | tr '\n' ',')"
}

disk_cuts
done_testing
