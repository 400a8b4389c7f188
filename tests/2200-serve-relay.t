#!/bin/sh
# What MAIL asks for goes on from hop to hop: smtp-submit, smtp-deliver, smtp-serve, another queue.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/serve.sh"

# Two queues: ours, and $T/q behind smtp-serve.
serve_conf 'serve { networks = "127.0.0.1" } listen "x" { auth = none headers = keep }'
serve_start --as x
printf 'hostname = "first.example"\nnotices { bounce = none }\nroute "*" { relay = "127.0.0.1:%s" }\n' "$PORT" >"$T/first.conf"
submit() {
	printf 'Subject: s\n\n.dot\nbody\n' | smtp-submit -C "$T/first.conf" --queue "$T/first" -odq -f a@x.example "$@"
}
deliver() {
	smtp-deliver -C "$T/first.conf" --queue "$T/first" --now
}
outcome() {
	cat "$T"/first/log/events-*.jsonl | grep -o '"enhanced_code":"[0-9.]*"' | tail -1
}
field() {
	cat "$T"/q/new/* | grep -a "^$1=" | head -1
}

ok 'submitted' submit -O by=7200\;NT -O mt-priority=-4 -N delay -V my+id b@y.example
ok 'delivered' deliver
is "$(queued)" 1 'into the other queue'
is "$(field sender)" 'sender=<a@x.example> ENVID=my+2Bid' 'ENVID'
is "$(field rcpt)" 'rcpt=<b@y.example> NOTIFY=DELAY ORCPT=rfc822;b@y.example' 'NOTIFY and ORCPT'
is "$(field priority)" 'priority=-4' 'MT-PRIORITY'
by=$(field by | sed 's/by=\([0-9]*\);NT/\1/')
now=$(date +%s)
ok 'what is left of the time' test "$by" -gt $((now + 7000)) -a "$by" -le $((now + 7200))
is "$(cat "$T"/q/new/* | tr -d '\r' | sed '1,/^$/d')" '.dot
body' 'the content'
is "$(cat "$T"/q/new/* | grep -ac '^Received:')" 2 'a Received field a hop'
empty_queue

ok 'REQUIRETLS' submit -O requiretls=yes b@y.example
deliver
is "$(outcome)" '"enhanced_code":"5.7.30"' 'is not relayed in clear (RFC 8689 4.2.1)'
is "$(queued)" 0 'and nothing was'
ok 'a time that is over' submit -O by=1\;R b@y.example
until_true 5 sh -c '[ "$(date +%s)" -gt "$0" ]' "$(($(date +%s) + 1))"
deliver
is "$(outcome)" '"enhanced_code":"5.4.7"' 'is returned (RFC 2852 4.1.4)'

# Who cannot be reached keeps nothing longer than that.
printf 'hostname = "first.example"\nnotices { bounce = none }\nretry_min = 1h\nroute "*" { relay = "127.0.0.1:1" }\n' >"$T/first.conf"
for mode in R N; do
	ok "nobody there, BY with $mode" submit -O "by=600;$mode" b@y.example
	ok 'is tried' deliver
	by=$(cat "$T"/first/cur/*/* | sed -n 's/^by=\([0-9]*\);.$/\1/p')
	is "$(outcome) $(ls "$T"/first/cur/* | cut -d . -f 1)" "\"enhanced_code\":\"4.4.1\" $by" 'and waits till then at most'
	rm -rf "$T/first"
done
ok 'nobody there, and the time is over' submit -O by=1\;R b@y.example
until_true 5 sh -c '[ "$(date +%s)" -gt "$0" ]' "$(($(date +%s) + 1))"
ok 'is tried' deliver
is "$(outcome) $(find "$T/first/cur" -type f | wc -l)" '"enhanced_code":"5.4.7" 0' 'and is returned'

trap_start
printf 'hostname = "first.example"\nnotices { bounce = none }\nroute "*" { relay = "127.0.0.1:%s" }\n' "$PORT" >"$T/first.conf"
ok 'BY with R' submit -O by=600\;R b@y.example
deliver
is "$(outcome)" '"enhanced_code":"5.3.3"' 'is not relayed to whom does not know it'
knows=$(sed -n 's/.*listening at .*:\([0-9]*\)$/\1/p' "$T/serve.err" | head -1)
printf 'hostname = "first.example"\nnotices { bounce = none }\nroute "*" { relay = "127.0.0.1:%s, 127.0.0.1:%s" }\n' "$PORT" "$knows" >"$T/first.conf"
ok 'BY with R' submit -O by=600\;R b@y.example
ok 'is relayed' deliver
is "$(queued) $(ls "$T/trap/new" | wc -l)" '1 0' 'to another host, which does'
empty_queue
printf 'hostname = "first.example"\nnotices { bounce = none }\nroute "*" { relay = "127.0.0.1:%s" }\n' "$PORT" >"$T/first.conf"
ok 'BY with N, and a priority' submit -O by=600\;N -O mt-priority=9 b@y.example
ok 'are' deliver
is "$(ls "$T/trap/new" | wc -l)" 1 'without them'

fails 'by= of nonsense' 64 'smtp-submit: -O by=1: not SECONDS;N or SECONDS;R (RFC 2852)' submit -O by=1 b@y.example
fails 'mt-priority= of nonsense' 64 'smtp-submit: -O mt-priority=10: not -9 to 9' submit -O mt-priority=10 b@y.example

# --- AUTH=, RFC 4954 5: told where we have logged in, and there believed of a listed network
printf 'pencil\n' | smtp-passwd --users "$T/users" add --keys cram-md5 --from '*' ann
serve_conf "serve { networks = \"127.0.0.1\" users = \"$T/users\" }"
serve_start
login='user = "ann" password_env = "PW"'
for case in "e+3Dmc2@z.example|$login|<e+3Dmc2@z.example>" "<>|$login|<<>>" "e@z.example||"; do
	rm -rf "$T/first" && empty_queue
	IFS='|' read -r auth how want <<-END
	$case
	END
	printf 'hostname = "first.example"\nroute "*" { relay = "127.0.0.1:%s" %s }\n' "$PORT" "$how" >"$T/first.conf"
	printf 'EHLO me\r\nMAIL FROM:<a@x.example> AUTH=%s\r\nRCPT TO:<b@y.example>\r\nDATA\r\n.\r\nQUIT\r\n' "$auth" |
	    smtp-serve -C "$T/first.conf" --queue "$T/first" >"$T/out"
	ok "AUTH=$auth ${how:+with a login}: delivered" env PW=pencil smtp-deliver -C "$T/first.conf" --queue "$T/first" --now
	is "$(queued)" 1 '... to the other queue'
	is "$(field auth)" "${want:+auth=$want}" '... which has it so'
done

# --- sendmail -bs
is "$(printf 'EHLO me\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n' |
    smtp-submit -C "$T/first.conf" --queue "$T/bs" -odq -bs | sed -n 's/^\([0-9]*\) .*/\1/p' | tr '\n' ' ')" \
    '220 250 250 250 354 250 221 ' 'a conversation with smtp-submit -bs'
is "$(find "$T/bs/new" -type f | wc -l)" 1 'queues a message'
done_testing
