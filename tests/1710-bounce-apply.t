#!/bin/sh
# bounce-parse --apply: the suppression list and the event log get what bounces and complaints say, once.
. "$(dirname "$0")/lib.sh"
need python3

RELAYKIT_QUEUE=$T/q
RELAYKIT_CONFIG=$T/conf
export RELAYKIT_QUEUE RELAYKIT_CONFIG
: >"$T/conf"
mkdir "$T/q"
tab=$(printf '\t')
# dsn RECIPIENT STATUS TEXT MESSAGE-ID [ACTION]: RFC 3464
dsn() {
	printf 'From: MAILER-DAEMON@mx.example\nTo: %s\nSubject: failure\nMIME-Version: 1.0\n' "${to:-ann@h.example}"
	printf 'Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nSorry.\n\n--b\n'
	printf 'Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n'
	printf 'Final-Recipient: rfc822; %s\nAction: %s\nStatus: %s\nDiagnostic-Code: smtp; %s\n\n--b\n' "$1" "${5:-failed}" "$2" "$3"
	printf 'Content-Type: message/rfc822\n\nMessage-ID: <%s>\nFrom: ann@h.example\nSubject: news\n\nx\n--b--\n' "$4"
}
# arf TYPE RECIPIENT MESSAGE-ID: RFC 5965
arf() {
	printf 'From: fbl@isp.example\nTo: abuse@h.example\nSubject: complaint\nMIME-Version: 1.0\n'
	printf 'Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\n\nA report.\n\n--b\n'
	printf 'Content-Type: message/feedback-report\n\nFeedback-Type: %s\nUser-Agent: x/1\nVersion: 1\n' "$1"
	printf 'Original-Rcpt-To: <%s>\n\n--b\nContent-Type: message/rfc822\n\nMessage-ID: <%s>\nFrom: ann@h.example\n\nx\n--b--\n' "$2" "$3"
}
apply() {
	bounce-parse --apply "$@" >"$T/out" 2>"$T/err"
}
# events TYPE: recipient, reason, hard, code, stream, tag
events() {
	cat "$T"/q/log/*.jsonl 2>/dev/null | python3 -c '
import json, sys
for line in sys.stdin:
    e = json.loads(line)
    if e["type"] == sys.argv[1]:
        print(e["recipient"], e["reason"], e["hard"], e.get("response", {}).get("code", 0), e.get("stream"), e.get("tag"),
              e.get("feedback_type", ""))' "$1"
}

dsn bob@x.example 5.1.1 '550 5.1.1 <bob@x.example>: user unknown' one@h.example >"$T/hard"
bounce-parse "$T/hard" >"$T/out"
is "$(ls "$T/q")" '' 'without --apply nothing is touched'
apply "$T/hard"
is "$? $(cat "$T/err")" '0 ' 'a hard bounce'
like "$(cat "$T/out")" '"recipient":"bob@x.example"' 'is printed as ever'
is "$(suppress why bob@x.example | cut -f 2-4)" "userunknown${tab}bounce${tab}*" 'and on the list'
is "$(events returned)" 'bob@x.example userunknown True 550 None None ' 'and in the log'
apply "$T/hard"
apply <"$T/hard"
is "$(events returned | wc -l) $(suppress list | wc -l)" '1 1' 'the same once more, and once more, is nothing new'
suppress remove bob@x.example
apply "$T/hard"
is "$(suppress list | wc -l)" 0 'who was taken off is not put back by it'

# --- soft ones
for i in 1 2 3 4; do dsn cy@x.example 4.2.2 '452 4.2.2 mailbox full' "soft$i@h.example" >"$T/soft$i"; done
apply "$T"/soft*
apply "$T"/soft*
is "$(suppress list | wc -l) $(events returned | grep -c cy@)" '0 4' 'four, read twice'
dsn CY@X.example 4.2.2 '452 4.2.2 mailbox full' soft5@h.example | bounce-parse --apply >/dev/null
is "$(suppress why cy@x.example | cut -f 2,3)" "mailboxfull${tab}bounce" 'the fifth is enough'
dsn dan@x.example 4.2.2 '452 4.2.2 mailbox full' d@h.example delayed >"$T/delayed"
apply "$T/delayed" "$T/delayed"
is "$(events returned | grep -c dan@)" 0 'a delay is no failure'
dsn eve@x.example 5.7.1 '554 5.7.1 spam message rejected' e@h.example >"$T/spam"
apply "$T/spam"
is "$(events returned | grep -c eve@) $(suppress list --all | grep -c eve@)" '1 0' 'spam is in the log, and not on the list'

# --- complaints
arf abuse fay@x.example fay@h.example >"$T/abuse"
arf not-spam gus@x.example gus@h.example >"$T/notspam"
arf opt-out hal@x.example hal@h.example >"$T/optout"
apply "$T/abuse" "$T/notspam" "$T/optout"
is "$(suppress list | cut -f 1-4 | grep '[fgh]a[yl]@' | sort | tr '\t\n' ' ;')" \
    'fay@x.example complaint feedback *;hal@x.example unsubscribe feedback *;' 'who complains, and who wants no more'
is "$(events complained | sort)" 'fay@x.example feedback False 0 None None abuse
hal@x.example feedback False 0 None None opt-out' 'are in the log'

cp "$T/conf" "$T/conf.was"
echo 'suppress { complaints = no unsubscribes = no }' >"$T/conf"
arf abuse kay@x.example kay@h.example >"$T/abuse"
arf opt-out lou@x.example lou@h.example >"$T/optout"
apply "$T/abuse" "$T/optout"
is "$(events complained | grep -c '[kl][ao][uy]@') $(suppress list | grep -c '[kl][ao][uy]@')" '2 0' 'where they do not count'
echo 'suppress { complaint_for = 1d unsubscribe_for = 2d hard_for = 3d }' >"$T/conf"
arf abuse max@x.example max@h.example >"$T/abuse"
arf opt-out ned@x.example ned@h.example >"$T/optout"
dsn ola@x.example 5.1.1 '550 5.1.1 user unknown' ola@h.example >"$T/dead"
apply "$T/abuse" "$T/optout" "$T/dead"
is "$(for who in max ned ola; do suppress why $who@x.example | { IFS=$tab read -r _ _ _ _ since until _
	echo $((($(date -d "$until" +%s) - $(date -d "$since" +%s)) / 86400)); }; done | tr '\n' ' ')" '1 2 3 ' 'for so many days'
cp "$T/conf.was" "$T/conf"

# --- ours: stream and tag
printf 'suppress { scope = stream }\ndomain = h.example\nhostname = h.example\nroute "*" { relay = "127.0.0.1:1" }\n' >"$T/conf"
printf 'Subject: x\n\nhello\n' | smtp-submit -odq -f ann@h.example -O stream=bulk -O tag=spring ida@x.example
id=$(smtp-queue list --json | sed 's/.*"queue_id":"\([0-9a-z]*\)".*/\1/')
smtp-deliver >/dev/null 2>&1 # the log hears of it when it is first tried
arf abuse ida@x.example "$id@h.example" >"$T/ours"
apply "$T/ours"
is "$(suppress why ida@x.example | cut -f 2,4)" "complaint${tab}bulk" 'for the stream of the message alone'
is "$(events complained | grep ida@)" 'ida@x.example feedback False 0 bulk spring abuse' 'with stream and tag'
is "$(bounce-parse --queue "$T/q" "$T/ours" | python3 -c '
import json, sys
e = json.loads(sys.stdin.read())
print(e["queue_id"] == sys.argv[1], e["stream"], e["tag"])' "$id")" 'True bulk spring' 'as JSON'
arf abuse jon@x.example other@elsewhere.example |
    sed "s/^From: ann@h.example/Received: by h.example (relaykit, from userid 0)\n\tid $id; Sun, 22 Nov 2026 10:00:00 +0000\n&/" >"$T/foreign"
is "$(bounce-parse --queue "$T/q" "$T/foreign" | grep -o '"queue_id":"[^"]*","stream":"[^"]*"')" \
    "\"queue_id\":\"$id\",\"stream\":\"bulk\"" 'a message that had an id of its own has our Received field'

# --- many, by all threads
for i in $(seq 300); do
	echo 'From MAILER-DAEMON Sun Nov 22 10:00:00 2026'
	dsn "u$i@y.example" 5.1.1 '550 5.1.1 user unknown' "m$i@h.example"
	echo
done >"$T/mbox"
apply --threads 4 "$T/mbox"
is "$? $(suppress list | grep -c @y.example) $(events returned | grep -c @y.example)" '0 300 300' 'an mbox'
apply --threads 4 "$T/mbox"
is "$(suppress export | grep -c @y.example) $(events returned | grep -c @y.example)" '300 300' 'read again'

# --- wrong
fails 'not with --reclassify' 64 "$(bounce-parse --help)" bounce-parse --reclassify --apply
fails 'no queue' 66 "bounce-parse: queue $T/none: no such directory" bounce-parse --queue "$T/none" --apply "$T/hard"
echo broken >"$T/q/state/suppress/bounces"
dsn kim@x.example 5.1.1 '550 user unknown' k@h.example >"$T/kim"
apply "$T/kim"
is "$? $(cat "$T/err")" '78 bounce-parse: suppression list: bounces: not a table of ours' 'a broken table is told'
# --- what a letter quotes has come back to somebody else, or long ago
rm -rf "$T/q"
mkdir "$T/q"
: >"$T/conf"
text() {
	printf 'From: MAILER-DAEMON@mx.example\nDate: Mon, 2 Nov 2026 10:00:00 +0000\nTo: ann@h.example\nSubject: Undelivered Mail Returned to Sender\n\n'
	printf 'This is the mail system at host mx.example.\n\n<old@x.example>: host mx.x.example said: 550 5.1.1 no such user\n\n'
	printf 'Reporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; old@x.example\nAction: failed\nStatus: 5.1.1\n'
	printf 'Diagnostic-Code: smtp; 550 5.1.1 no such user\n\n'
}
letter() { # letter HEADER [MARK]
	printf 'From: Bob <bob@y.example>\nTo: ann@h.example\n%bMIME-Version: 1.0\nContent-Type: text/plain\n\nHi Ann,\n\nwhat is this?\n\n' "$1"
	text | sed "s/^/${2-}/"
	printf 'Bob\n'
}
fact='old@x.example 550 5.1.1 failed userunknown'
told() {
	python3 -c '
import json, sys
for line in open(sys.argv[1]):
    o = json.loads(line)
    print(o["recipient"], *[o[k] for k in "reply status action reason".split() if o[k]], "quoted" if o.get("quoted") else "now")' "$T/out"
}
text >"$T/quoted"
apply "$T/quoted"
is "$(told)" "$fact now" 'a bounce in words'
is "$(suppress list | wc -l) $(events returned | wc -l)" '1 1' 'is carried out'
rm -rf "$T/q"
mkdir "$T/q"
for mark in '> ' '>' '| ' '>> ' '    ' "$tab"; do
	letter 'Subject: help\n' "$mark" >"$T/quoted"
	apply "$T/quoted"
	is "$? $(told) $(suppress list | wc -l) $(events returned | wc -l)" "0 $fact quoted 0 0" \
	    "\"$mark\" before each line: it is read as well, and not carried out"
done
letter 'Subject: Fwd: Undelivered Mail Returned to Sender\n' >"$T/quoted"
apply "$T/quoted"
is "$(told) $(suppress list | wc -l)" "$fact quoted 0" 'sent on as it stands, behind its header'
for header in 'Subject: Re: Undelivered Mail Returned to Sender\n' 'Subject: x\nIn-Reply-To: <1@mx.example>\n'; do
	{ letter "$header" | sed '/^$/q' && text | sed '1,/^$/d'; } >"$T/quoted"
	apply "$T/quoted"
	is "$(told) $(suppress list | wc -l)" "$fact quoted 0" "an answer, not set off: $header"
done
letter 'Subject: Out of office\nAuto-Submitted: auto-replied\n' '> ' >"$T/quoted"
apply "$T/quoted"
is "$(told) $(suppress list | wc -l) $(events returned | wc -l)" 'bob@y.example vacation now 0 0' \
    'an automatic answer is one, whatever it quotes'
# A mailer may set off what it likes.
{ printf 'From: mailer@mx.example\nSubject: sorry\n\nThis is the mail system at host mx.example.\n' && text | sed -e '1,/^$/d' -e 's/^/> /'; } >"$T/quoted"
apply "$T/quoted"
is "$(told) $(suppress list | wc -l) $(events returned | wc -l)" "$fact now 1 1" 'a mailer quotes its own words'
done_testing
