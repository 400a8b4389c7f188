#!/bin/sh
# Two deliverers at once over 2,000 messages: each message arrives once, and together they never have
# more connections to a site than it is allowed.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/faults/sweep.sh"
need smtp-submit smtp-queue smtp-deliver smtp-trap

total=2000
allowed=5
awk -v n=$total 'BEGIN {
	for (i = 1; i <= n; i++)
		printf "MAIL FROM:<a@example.org>\r\nRCPT TO:<b%d@d%d.example>\r\nDATA\r\n" \
		    "From: a@example.org\r\nMessage-ID: <%d@two>\r\n\r\nhello\r\n.\r\n", i, i % 7, i
}' >"$T/batch"
smtp-submit --queue "$T/q" -odq -bS <"$T/batch" >"$T/ack"
is "$(grep -c '^250 2.0.0 .* queued' "$T/ack")" $total "$total messages are accepted"
is "$(entries "$T/q" new | wc -l)" $total 'and wait'

trap_start --log "$T/log" --latency 10
# Each alone would take three: together they would have six.
printf 'connections = 3\nsite_connections = %d\nconnection_idle = 100ms\nconnection_messages = 30\n' $allowed >"$T/conf"
for i in 1 2; do
	bg smtp-deliver -C "$T/conf" --queue "$T/q" --relay "127.0.0.1:$PORT" -v >"$T/out$i" 2>&1
	eval "pid$i=\$!"
done
# shellcheck disable=SC2154
wait "$pid1"
is $? 0 'the first run ends well'
# shellcheck disable=SC2154
wait "$pid2"
is $? 0 'the second run ends well'
cat "$T/out1" "$T/out2" | sed 's/^/# /'

is "$(entries "$T/q" | wc -l)" 0 'nothing is left'
# Not by file name: by what was sent.
is "$(cat "$T"/trap/new/* | sed -n 's/^Message-ID: <\(.*\)@two>.*/\1/p' | sort -n | uniq -c |
	awk '{ print $1 }' | sort -n | uniq -c | awk '{ print $1, "came", $2 }')" "$total came 1" 'each arrived once'
is "$(cat "$T/q/log"/*.jsonl | grep -c '"type":"delivered"')" $total 'each has one event of its delivery'
is "$(awk '/^delivered/ { n += $2; both += $2 > 0 } END { print n, both }' "$T/out1" "$T/out2")" "$total 2" \
	'both had a share, and their counts add up'
kill "$trap_pid"
wait "$trap_pid"
most=$(awk '/"type":"connected"/ { if (++n > m) m = n } /"type":"disconnected"/ { n-- } END { print m + 0 }' "$T/log")
ok "never more than $allowed connections (most: $most)" test "$most" -le $allowed -a "$most" -gt 1
done_testing
