#!/bin/sh
# smtp-trap: where it listens, what it keeps, how it ends.
. "$(dirname "$0")/lib.sh"
need python3

# send PORT ARGS...: python's smtplib sends one message from a@example.org to each ARG
send() {
	python3 - "$@" <<-'END'
	import smtplib, sys
	s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), "client.example")
	s.sendmail("a@example.org", sys.argv[2:], "Subject: x\r\n\r\n.dot\r\nbody\r\n", ["body=8bitmime"], ["NOTIFY=NEVER"])
	s.quit()
	END
}

u() { sed -n 's/^    "\(.*\)\\n"$/\1/p; s/^    "\(.*\)";$/\1/p' "$TOP/bin/smtp-trap.c"; }
fails 'an argument' 64 "$(u)" smtp-trap x
fails 'an option it does not have' 64 "smtp-trap: unrecognized option '--relay'
$(u)" smtp-trap --relay
fails 'a certificate without its key' 64 "smtp-trap: --cert and --key go together
$(u)" smtp-trap --cert x
fails 'over 100 percent' 64 "smtp-trap: --defer-percent and --reject-percent are over 100 together
$(u)" smtp-trap --defer-percent 60 --reject-percent 41
fails 'a number that is none' 64 'smtp-trap: --latency 5x: not a number from 0 to 86400000' smtp-trap --latency 5x
fails 'a negative number' 64 'smtp-trap: --exit-after -1: not a number from 0 to 9223372036854775807' \
    smtp-trap --exit-after -1
for a in 0.0.0.0 192.0.2.1 '[::]' '[2001:db8::1]' '[::ffff:192.0.2.1]'; do
	fails "$a is not loopback" 64 "smtp-trap: --listen $a:0: not a loopback address; see --anywhere" \
	    smtp-trap --listen "$a:0"
done
fails 'a name' 64 'smtp-trap: --listen mail.example:25: an address is needed, not a name' \
    smtp-trap --listen mail.example:25
fails 'an address that nobody here has' 75 \
    'smtp-trap: listen 192.0.2.1:9: Cannot assign requested address' \
    smtp-trap --anywhere --listen 192.0.2.1:9
fails 'a key that is not there' 78 \
    "smtp-trap: certificate $T/no, key: $T/no: Error while reading file" \
    smtp-trap --listen 127.0.0.1:0 --cert "$T/no" --key "$T/no"
fails 'a port file nowhere' 75 "smtp-trap: open $T/no/: No such file or directory" \
    smtp-trap --listen 127.0.0.1:0 --port-file "$T/no/port"

trap_run
fails 'a port in use' 75 "smtp-trap: listen 127.0.0.1:$PORT: Address already in use" \
    smtp-trap --listen "127.0.0.1:$PORT"
like "$(grep '^Seccomp:' "/proc/$PID/status")" '2$' 'it is under seccomp'
ok 'a message' send "$PORT" b@example.com 'reject-550@example.com'
is "$(cat "$T/out")" \
    'accepted from=<a@example.org> to=<b@example.com>,<reject-550@example.com>(550) size=26' \
    'by default it prints a line'
trap_ends 'ends by SIGTERM'

trap_run --maildir "$T/box" --log "$T/log" --count "$T/count" --listen '[::1]:0'
ok 'a message' send "$PORT" b@example.com c@example.com
is "$(cat "$T/out")" '' 'with a maildir nothing is printed'
like "$(head -1 "$T"/box/new/*)" '^X-Envelope-From: <a@example.org>.$' 'a file in new/'
is "$(tr -d '\r' <"$(echo "$T"/box/new/*)" | sed '/^X-Trap-Peer/s/:[0-9]*$//')" \
    'X-Envelope-From: <a@example.org>
X-Envelope-To: <b@example.com>
X-Envelope-To: <c@example.com>
X-Trap-Mail: size=26 body=8bitmime
X-Trap-Rcpt: <b@example.com> NOTIFY=NEVER
X-Trap-Rcpt: <c@example.com> NOTIFY=NEVER
X-Trap-Helo: EHLO client.example
X-Trap-Peer: 127.0.0.1
X-Trap-By: DATA
X-Trap-Id: 1-1
Subject: x

.dot
body' 'the envelope, then the message'
is "$(sed '1,/^X-Trap-Id/d' "$T"/box/new/* | od -c)" "$(printf 'Subject: x\r\n\r\n.dot\r\nbody\r\n' | od -c)" \
    'the message is what was sent, byte by byte'
is "$(find "$T/box/tmp" -type f)" '' 'nothing stays in tmp/'
trap_ends 'ends again'
is "$(cat "$T/count")" 'messages            1
recipients            2
bytes               26
connections            1
transactions            1' 'what was counted'
is "$(sed 's/"time_ms":[0-9]*/T/; s/127.0.0.1:[0-9]*/P/' "$T/log")" \
    '{"type":"connected",T,"connection":1,"peer":"P","messages":0}
{"type":"transaction",T,"connection":1,"peer":"P","helo":"EHLO client.example","mail":"a@example.org","params":"size=26 body=8bitmime","rcpts":[{"rcpt":"b@example.com","params":"NOTIFY=NEVER","code":250},{"rcpt":"c@example.com","params":"NOTIFY=NEVER","code":250}],"by":"DATA","size":26,"outcome":"accepted","code":250}
{"type":"disconnected",T,"connection":1,"peer":"P","reason":"quit","messages":1}' 'the log'

trap_run --print
ok 'a message' send "$PORT" b@example.com
like "$(tr -d '\r' <"$T/out" | tr '\n' '|')" '^---------- message ----------\|X-Envelope-From.*\|Subject: x\|\|.dot\|body\|---------- end ----------\|$' 'printed as a whole'
trap_ends 'ends'

trap_run --json --exit-after 2
ok 'one of two messages' send "$PORT" b@example.com
ok 'two of two' send "$PORT" b@example.com
ok 'it ends by itself' until_true 40 sh -c "! kill -0 $PID"
wait $PID
is $? 0 '... with exit code 0'
is "$(python3 -c 'import json,sys
print([json.loads(l)["type"] for l in sys.stdin].count("transaction"))' <"$T/out")" 2 'its lines are JSON'

trap_run --json
python3 - "$PORT" <<-'END'
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); f = s.makefile("rb")
f.readline()
s.sendall(b"EHLO \x1b]0;x\x07\xff\"\r\n")
while f.readline()[3:4] == b"-": pass
s.sendall(b"MAIL FROM:<\"a\\\x01\"@b>\r\n"); f.readline()
s.sendall(b"RSET\r\n"); f.readline()
END
ok 'hostile text is still JSON' until_true 40 grep -q '"outcome":"reset"' "$T/out"
is "$(grep -c '[[:cntrl:]]' "$T/out")" 0 '... without a control character'
ok '... and read as such' python3 -c 'import json,sys
for l in open(sys.argv[1], "rb"): json.loads(l)' "$T/out"
trap_ends 'ends'

smtp-trap --listen 127.0.0.1:0 --port-file "$T/port2" --exit-after 1 >/dev/full 2>"$T/err" &
PID=$!
until_true 40 test -s "$T/port2"
send "$(cat "$T/port2")" b@example.com 2>/dev/null
wait $PID
is $? 75 'a full standard output is not success'
is "$(cat "$T/err")" 'smtp-trap: stdout: No space left on device' '... and is said'

# A box that is full: the message is refused for now, not taken and lost.
trap_run --maildir "$T/box2"
rmdir "$T/box2/tmp"
like "$(send "$PORT" b@example.com 2>&1)" 'SMTPDataError: \(452, b.4.3.1 could not be kept' 'what cannot be kept is not accepted'
kill $PID
wait $PID
like "$(cat "$T/err")" '^smtp-trap: create .*: No such file or directory$' '... and the reason is said'
done_testing
