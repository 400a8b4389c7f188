#!/bin/sh
# bounce-parse as a program: where messages come from, forms of output, exit codes.
. "$(dirname "$0")/lib.sh"

cat >"$T/dsn" <<'M'
From: MAILER-DAEMON@mx.sender.example
To: ann@sender.example
Subject: Delivery Status Notification
Message-ID: <1@mx.sender.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b

Sorry.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.sender.example
Arrival-Date: Sun, 22 Nov 2026 10:00:00 +0000

Final-Recipient: rfc822; Bob@rcpt.example
Original-Recipient: rfc822;bobby@other.example
Action: failed
Status: 5.0.0
Remote-MTA: dns; mx.rcpt.example
Diagnostic-Code: smtp; 552 5.2.2 Mailbox	full

--b
Content-Type: message/rfc822

Message-ID: <0n8xvyh3c2m4q7tw@mx.sender.example>
From: Ann <ann@sender.example>
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
Date: Sun, 22 Nov 2026 09:59:00 +0000

Hi.
--b--
M
json='{"file":"","recipient":"Bob@rcpt.example","reply":"552","status":"5.2.2","action":"failed","reason":"mailboxfull","hard":false,"feedback_type":"","class":"mailbox","original_recipient":"bobby@other.example","remote_mta":"mx.rcpt.example","text":"552 5.2.2 Mailbox\tfull","dialect":"rfc3464","reporting_mta":"mx.sender.example","arrival":"Sun, 22 Nov 2026 10:00:00 +0000","message_id":"0n8xvyh3c2m4q7tw@mx.sender.example","sender":"ann@sender.example","subject":"Grüße","date":"Sun, 22 Nov 2026 09:59:00 +0000","queue_id":"0n8xvyh3c2m4q7tw"}'
is "$(bounce-parse <"$T/dsn" 2>&1)" "$json" 'every member that a delivery status fills'
is "$(bounce-parse --json <"$T/dsn")" "$json" '--json is the default'
is "$(bounce-parse --tsv <"$T/dsn")" \
    "$(printf '\tBob@rcpt.example\t552\t5.2.2\tfailed\tmailboxfull\tfalse\t\t552 5.2.2 Mailbox\\x09full')" \
    '--tsv: a TAB that came from outside is none of ours'
is "$(bounce-parse --brief <"$T/dsn")" 'Bob@rcpt.example mailboxfull: 552 5.2.2 Mailbox\x09full' '--brief'
rule=$(grep -n "^mailboxfull	\*	x.2.2	\*	" "$TOP/share/bounce.rules" | cut -d : -f 1)
is "$(bounce-parse --brief --explain <"$T/dsn" | sed 's/.* \[/[/')" "[bounce.rules:$rule]" \
    '--explain names the line of the shipped file'
like "$(bounce-parse --explain <"$T/dsn")" "\"rule\":\"bounce.rules:$rule\",\"pattern\":\"\*\"}$" 'in JSON too'

# --- sources
printf 'Subject: hello\n\nHi.\n' >"$T/hello"
mkdir -p "$T/dir/sub/.hidden" "$T/md/cur" "$T/md/new" "$T/md/tmp"
cp "$T/dsn" "$T/dir/a"
cp "$T/dsn" "$T/dir/sub/b"
cp "$T/dsn" "$T/dir/sub/.hidden/c"
cp "$T/dsn" "$T/dir/.d"
ln -s "$T/dir" "$T/dir/sub/loop"
mkfifo "$T/dir/fifo"
cp "$T/dsn" "$T/md/cur/1:2,S"
cp "$T/dsn" "$T/md/new/2"
cp "$T/dsn" "$T/md/tmp/3"
{ echo 'From MAILER-DAEMON Sun Nov 22 10:00:00 2026'; cat "$T/dsn"; echo
  echo 'From ann Sun Nov 22 10:00:00 2026'; cat "$T/hello"; echo; echo 'From here at 10 it is one message'; echo
  echo 'From MAILER-DAEMON Sun Nov 22 10:00:00 2026'; cat "$T/dsn"; } >"$T/box"
files() {
	bounce-parse "$@" 2>/dev/null | sed 's/^{"file":"\([^"]*\)",\("message":[0-9]*\)*.*/\1 \2/; s/ $//'
}
cd "$T" || exit 1
is "$(files dsn)" dsn 'a file'
is "$(files dir)" 'dir/a
dir/sub/b' 'a directory: regular files by name, none that is hidden, no link followed, no fifo waited for'
is "$(files md)" 'md/cur/1:2,S
md/new/2' 'a maildir: what has arrived'
is "$(files box)" 'box
box "message":3' 'an mbox, and its third message'
is "$(files - <box)" '-
- "message":3' '"-" is standard input'
is "$(bounce-parse -v box 2>&1 >/dev/null)" 'bounce-parse: box: not a bounce
bounce-parse: 3 messages, 2 recipients, 1 no bounces, 0 that name nobody' '-v'
tar -cf a.tar dsn box hello
is "$(files a.tar)" 'a.tar/dsn
a.tar/box
a.tar/box "message":3' 'a tar, with an mbox in it'
for c in gzip bzip2 xz zstd; do
	command -v $c >/dev/null || continue
	$c <a.tar >a.$c
	is "$(files a.$c)" "a.$c/dsn
a.$c/box
a.$c/box \"message\":3" "compressed by $c, whatever it is called"
	is "$(files <a.$c | sed 's|a.tar/||')" 'dsn
box
box "message":3' 'from standard input'
done
gzip -c box >box.gz # which has the name in it
is "$(files box.gz)" 'box.gz/box
box.gz/box "message":3' 'a compressed mbox'
is "$(files dsn dir/a)" 'dsn
dir/a' 'several'

# --- what is no bounce, and what is none of ours
fails 'a message that is no bounce: said, and no failure' 0 'bounce-parse: not a bounce' sh -c 'bounce-parse <hello'
is "$(cat .out)" '' 'and no line'
fails '--strict' 65 'bounce-parse: hello: not a bounce' bounce-parse --strict dsn hello
is "$(wc -l <.out)" 1 'the others are printed'
fails '--strict with bounces alone' 0 '' bounce-parse --strict dsn dir
: >empty
fails 'nothing at all is no bounce' 0 'bounce-parse: not a bounce' sh -c 'bounce-parse <empty'
printf 'From: MAILER-DAEMON@x\nSubject: Undelivered Mail Returned to Sender\n\nOops.\n' >nobody
fails 'a bounce that names nobody' 65 'bounce-parse: nobody: a bounce that names no recipient' \
    bounce-parse --strict nobody

# --- trouble
fails 'a file that is not there' 66 'bounce-parse: no/such: No such file or directory' bounce-parse no/such dsn
is "$(wc -l <.out)" 1 'the others are read'
head -c 1000 a.tar >cut.tar
bounce-parse cut.tar >.out 2>.err
is "$? $(sed 's/: archive: .*/: archive/' .err)" '65 bounce-parse: cut.tar: archive' 'an archive cut short'
fails 'a full disk' 75 'bounce-parse: stdout: No space left on device' sh -c 'bounce-parse <dsn >/dev/full'
for args in '--json --tsv' '--threads 0' '--threads 65' '--threads x' '--reclassify --tsv' '--reclassify --strict'; do
	# shellcheck disable=SC2086
	bounce-parse $args </dev/null >.out 2>.err
	is "$? $(head -n 1 .err | cut -c 1-19)" '64 usage: bounce-parse' "$args: wrong usage"
done

# --- rules of one's own
printf 'kaputt\t*\t552\tmailbox full\n' >mine
is "$(bounce-parse --rules mine --explain dsn | sed 's/.*"reason":\("[a-z]*","hard":[a-z]*\).*\("rule":"[^"]*"\).*/\1 \2/')" \
    '"kaputt","hard":null "rule":"mine:1"' 'a local rule is asked first'
printf '# x\nkaputt\t*\t*\tabc\n' >bad
fails 'a rule that is none' 78 'bounce-parse: bad:2: a pattern has four characters in a row that stand for themselves' \
    bounce-parse --rules bad dsn
fails 'rules that are not there' 66 'bounce-parse: none: no such file' bounce-parse --rules none dsn

# --- the event log
cat >events <<'L'
{"type":"deferred","timestamp":"2026-11-22T10:00:00.000Z","id":"0n8xvyh3c2m4q7tw","recipient":"bob@rcpt.example","response":{"code":452,"enhanced_code":"4.2.2","content":"over quota"}}
{"type":"bounced","id":"0n8xvyh3c2m4q7tw","recipient":"bob@rcpt.example","response":{"code":550,"enhanced_code":"5.1.1","content":"no such user"},"reason":"blocked","hard":false}
{"type":"held","id":"0n8xvyh3c2m4q7tw"}
not JSON
L
cat >want <<'L'
{"type":"deferred","timestamp":"2026-11-22T10:00:00.000Z","id":"0n8xvyh3c2m4q7tw","recipient":"bob@rcpt.example","response":{"code":452,"enhanced_code":"4.2.2","content":"over quota"},"reason":"mailboxfull","hard":false}
{"type":"bounced","id":"0n8xvyh3c2m4q7tw","recipient":"bob@rcpt.example","response":{"code":550,"enhanced_code":"5.1.1","content":"no such user"},"reason":"userunknown","hard":true}
{"type":"held","id":"0n8xvyh3c2m4q7tw"}
not JSON
L
is "$(bounce-parse --reclassify events)" "$(cat want)" '--reclassify'
is "$(bounce-parse --reclassify <want)" "$(cat want)" 'twice is once'
is "$(head -c -1 events | bounce-parse --reclassify -- | tail -n 1)" 'not JSON' 'a last line without an end'

# --- many: the same whatever the number of threads
i=0
while [ $i -lt 9 ]; do
	cat box
	echo
	i=$((i + 1))
done >boxes
for i in 1 2 3 4 5 6 7 8; do cat boxes boxes boxes; done >many
bounce-parse --threads 1 many >one
for n in 2 5 64; do
	bounce-parse --threads $n many >several
	ok "$n threads say the same in the same order" cmp one several
done
is "$(wc -l <one)" 432 'and all of it'
{ cat dsn; head -c 3000000 /dev/zero | tr '\0' 'x'; } >large
is "$(files dsn large dir/a)" 'dsn
large
dir/a' 'a large one between others'
set --
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do set -- "$@" large many large; done
is "$(timeout 60 bounce-parse --threads 3 "$@" | wc -l)" 5208 'large ones between many'
# --- any size in little memory and little time; each is the worst for one way of reading
# hostile WHAT COMMAND: what it writes stands behind the head of a bounce
hostile() {
	{ printf 'From: MAILER-DAEMON@x\nSubject: failure notice\n\n'; eval "$2"; } |
	    (ulimit -v 200000; timeout 20 bounce-parse >.out 2>.err)
	is "$?" 0 "$1: in time and in 200 MB"
}
if ! sanitized; then
	hostile 'zeroes' 'head -c 50000000 /dev/zero'
	hostile 'noise' 'head -c 20000000 /dev/urandom'
	hostile 'nothing but CR' 'head -c 20000000 /dev/zero | tr "\\0" "\\r"'
	hostile 'nothing but LF' 'head -c 20000000 /dev/zero | tr "\\0" "\\n"'
	hostile 'recipients' "yes '<a@b.example>: 550 no' | head -c 20000000"
	hostile 'a million recipients' "awk 'BEGIN { for (i = 0; i < 300000; i++) print \"<u\" i \"@b.example>: 550 no\" }'"
	hostile 'at signs' 'head -c 5000000 /dev/zero | tr "\\0" "@"'
	hostile 'mailboxes' "yes 'a@' | head -c 5000000"
	hostile 'starts of encoded words' "yes '=?utf-8?q?' | tr -d '\\n' | head -c 5000000"
	awk 'BEGIN {
		print "From: MAILER-DAEMON@x\nSubject: failure notice"
		print "Content-Type: multipart/report; boundary=b\n\n--b\n"
		for (i = 0; i < 1000; i++) print "<u" i "@b.example>: 550 no"
		print "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n"
		for (i = 0; i < 1000; i++) print "Action: failed\nStatus: 5.1.1\n"
		print "--b--"
	}' >nameless
	is "$( (ulimit -t 1; bounce-parse nameless) | wc -l)" 1000 'a thousand whom the words name, the status none, in a second'
fi
done_testing
