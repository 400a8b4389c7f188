#!/bin/sh
# The README's everyday recipes, run as they stand there: only server and port are ours.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"

export RELAYKIT_QUEUE="$T/queue" RELAYKIT_CONFIG="$T/relaykit.conf"
cd "$T" || exit 1
: >"$RELAYKIT_CONFIG"

# recipe N: the N-th block of shell in the README
recipe() {
	awk -v n="$1" '/^```sh$/ { on = ++seen == n; next } /^```$/ { on = 0 } on' "$TOP/README.md" |
	    sed -e "s/smtp\.provider\.example:587/127.0.0.1:$PORT/" -e "s/127\.0\.0\.1:25[0-9]*/127.0.0.1:$OTHER/" \
	    -e 's/&$/\& echo $! >trap.pid; sleep 1/' -e 's/^sender-check /: &/' # which asks the world's DNS
}
run() {
	recipe "$1" >"recipe$1"
	ok "recipe $1: $2" sh -e "recipe$1"
}
# has DIR TEXT: a message there says so
has() {
	grep -qrF "$2" "$1/new"
}

trap_start
OTHER=$(free_port)
is "$(recipe 11)" '' 'there are ten recipes'

run 1 'send, and see it waiting'
like "$(cat "$T/.out")" 'admin@example\.org' 'the list shows where it goes'
is "$(find queue/new -type f | wc -l)" 1 'one message waits'

run 2 'hand everything to a smarthost'
ok 'which gets it' has trap 'All 40 GB are safe.'
is "$(find queue/new queue/cur -type f | wc -l)" 0 'and nothing waits'

printf 'Subject: x\n\nx\n' | smtp-submit -odq defer-451@example.org
smtp-deliver
run 3 'why, and again'
like "$(cat "$T/.out")" '451' 'the reason is what the server said'
is "$(grep -h '"type":"deferred"' queue/log/* | wc -l)" 2 'it was tried again at once'

: >"$RELAYKIT_CONFIG"
run 4 'try an application without a leak'
kill "$(cat trap.pid)"
ok 'the trap has it' has caught hello
smtp-queue remove --all >/dev/null

for n in 1 2 3; do echo "reader$n@example.net"; done >list
run 5 'a whole list by one process'
is "$(find queue/new -name '*,bulk,*' | wc -l)" 3 'three messages of stream bulk'
smtp-deliver --relay "127.0.0.1:$PORT"
ok 'each to its reader' has trap 'To: reader3@example.net'

echo "route \"*\" { relay = \"127.0.0.1:$PORT\" }" >"$RELAYKIT_CONFIG"
echo 'Subject: waits' | smtp-submit -odq waits@example.org
run 6 'where mail goes, and what would happen'
is "$(cut -f 2-4 "$T/.out" | tail -1)" "waits@example.org	send	127.0.0.1:$PORT" 'to all that waits'
run 7 'sign everything that leaves'
printf 'From: me@example.org\nSubject: signed\n\nx\n' | smtp-submit -odq -f me@example.org signed@example.net
smtp-deliver
ok 'it is signed' has trap 'd=example.org; s=s2026;'

run 8 'a server to log in at'
like "$(printf 'EHLO me\r\nQUIT\r\n' | python3 -c '
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
f = s.makefile("rwb")
f.readline()
f.write(sys.stdin.buffer.read())
f.flush()
print(f.read().decode())' "$OTHER" | tr -d '\r')" '^250-AUTH SCRAM-SHA-256' 'which asks for a proof, not for a password'
kill "$(cat trap.pid)"

run 9 'mail from everybody'
# no From and a HELO name without a dot: nothing is asked of the DNS
python3 -c '
import smtplib, sys
s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), local_hostname="me")
s.sendmail("", ["info@example.org", "Postmaster@example.org"], "Subject: to you\r\n\r\nx")
print(s.docmd("MAIL", "FROM:<>")[0], s.docmd("RCPT", "TO:<eve@example.org>")[0], s.docmd("RCPT", "TO:<x@example.com>")[0])
' "$OTHER" >"$T/.out"
is "$(cat "$T/.out")" '250 550 550' 'for who is there'
smtp-deliver
ok 'a mailbox has it' has mail/ann 'Subject: to you'
is "$(find mail -path '*/new/*' | wc -l)" 1 'once'
ok 'and who is elsewhere' has trap 'Subject: to you'
kill "$(cat trap.pid)"
printf '%s\n' 'From: MAILER-DAEMON@example.net' 'MIME-Version: 1.0' \
    'Content-Type: multipart/report; report-type=delivery-status; boundary=b' '' '--b' \
    'Content-Type: message/delivery-status' '' 'Reporting-MTA: dns; example.net' '' \
    'Final-Recipient: rfc822; dead@example.net' 'Action: failed' 'Status: 5.1.1' '--b--' >bounce.eml
run 10 'never mail a dead address twice'
like "$(suppress list)" '^dead@example\.net	userunknown	bounce' 'the dead one is remembered'
done_testing
