#!/bin/sh
# The suppression list, struck at every system call that changes something: by suppress, while a table
# is made anew, and by bounce-parse --apply.  What was on the list stays on it; success means that all of it is
# there; the next run ends the job; an event is told twice at most, and never not at all.
FAULT_POINTS=${FAULT_POINTS:-40}
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/faults/sweep.sh"
need_faultrun

mkdir "$T/template"
seq -f "old%.0f@example.org" 58 | suppress --queue "$T/template" add || skip_all 'no list'
seq -f 'new%.0f@example.org' 8 >"$T/new"
prepare() {
	rm -rf "$T/q"
	cp -a "$T/template" "$T/q"
}
# there PATTERN: how many of the list; each must be there once
there() {
	suppress --queue "$T/q" list 2>"$T/.err" | cut -f 1 | grep "$1" | sort | uniq -c | awk '$1 > 1 { print "double" } END { print NR }'
}
verify() {
	[ "$(there '^old')" = 58 ] || echo "of the old ones $(there '^old') are there: $(cat "$T/.err"); "
	[ "$rc" -ne 0 ] || [ "$(there '^new')" = 8 ] || echo "success, and of the new ones $(there '^new') are there; "
	[ "$rc" -eq 0 ] || killed || [ -s "$T/said" ] || echo 'failed without a word; '
	$victim >"$T/.out" 2>&1 || echo "the next run: $(cat "$T/.out"); "
	[ "$(there '^new') $(there '^old')" = '8 58' ] || echo "after the next run $(there '^new') and $(there '^old') are there; "
}
victim="suppress --queue $T/q import $T/new"
ok 'the import makes the table anew' sh -c "cp -a '$T/template' '$T/q' && $victim &&
    [ \$(stat -c %s '$T/q/state/suppress/list') -gt \$(stat -c %s '$T/template/state/suppress/list') ]"
sweep 'import'

# --- bounce-parse --apply: two dead addresses, and one full for the fifth time
# bounce RECIPIENT STATUS TEXT ID
bounce() {
	printf 'From MAILER-DAEMON Sun Nov 22 10:00:00 2026\nFrom: MAILER-DAEMON@x\nTo: a@h.example\nMIME-Version: 1.0\n'
	printf 'Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nSorry.\n\n--b\n'
	printf 'Content-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\nFinal-Recipient: rfc822; %s\n' "$1"
	printf 'Action: failed\nStatus: %s\nDiagnostic-Code: smtp; %s\n\n--b\n' "$2" "$3"
	printf 'Content-Type: message/rfc822\n\nMessage-ID: <%s>\n\nx\n--b--\n\n' "$4"
}
for i in 1 2 3 4; do bounce full@example.org 5.2.2 '552 5.2.2 mailbox full' "f$i@h.example"; done >"$T/before"
ok 'four times' sh -c "bounce-parse --queue '$T/template' --apply '$T/before' >'$T/.printed'"
{
	bounce dead1@example.org 5.1.1 '550 5.1.1 user unknown' d1@h.example
	bounce full@example.org 5.2.2 '552 5.2.2 mailbox full' f5@h.example
	bounce dead2@example.org 5.1.1 '550 5.1.1 user unknown' d2@h.example
} >"$T/mbox"
told_before=$(cat "$T"/template/log/*.jsonl | grep -c '"type":"returned"')
told() {
	cat "$T"/q/log/*.jsonl | grep '"type":"returned"' | tail -n "+$((told_before + 1))" | grep -c "$1"
}
verify() {
	[ "$(there '^old')" = 58 ] || echo "of the old ones $(there '^old') are there: $(cat "$T/.err"); "
	[ "$rc" -ne 0 ] || [ "$(there '^dead\|^full')" = 3 ] || echo "success, and $(there '^dead\|^full') are there; "
	$victim >"$T/.out" 2>&1 || echo "the next run: $(cat "$T/.out"); "
	[ "$(there '^dead\|^full') $(there '^old')" = '3 58' ] || echo "after the next run $(there '^dead\|^full') are there; "
	for who in dead1 full dead2; do
		[ "$(told "$who")" -ge 1 ] || echo "nothing is told of $who; "
	done
	[ "$(told example)" -le 4 ] || echo "$(told example) events; "
}
victim="bounce-parse --queue $T/q --threads 1 --apply $T/mbox"
sweep 'bounce-parse --apply'

# --- smtp-deliver: of two recipients one is delivered, which is written down at once, and one is dead
trap_start
{ printf 'connections = 1\nconnection_idle = 50ms\ntimeout_quit = 2s\nnotices { bounce = none }\n'; } >"$T/conf"
printf 'Subject: x\n\nx\n' | smtp-submit --queue "$T/template" -odq -f a@example.org good@one.example \
    reject-550@one.example defer-451@one.example >"$T/.out" 2>&1
verify() {
	$victim >"$T/.out" 2>&1 || echo "the next run: $(cat "$T/.out"); "
	[ "$(there '^reject')" = 1 ] || echo 'who was refused for good is not on the list; '
	[ "$(there '^good\|^defer')" = 0 ] || echo 'others are; '
}
victim="smtp-deliver -C $T/conf --queue $T/q --relay 127.0.0.1:$PORT --now --no-sandbox"
sweep 'smtp-deliver'
done_testing
