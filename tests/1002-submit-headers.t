#!/bin/sh
# smtp-submit: header sections as they are found in the world, judged by python3's email package.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/submit.sh"
need python3

# given TEXT [OPTION...]: submits it
given() {
	text=$1
	shift
	fresh
	printf "$text" | smtp-submit -f ann@d.example "$@" >"$T/.out" 2>"$T/.err"
}
# field NAME: its values, unfolded, as python reads them
field() {
	message | python3 -c '
import sys, email, email.policy
m = email.message_from_binary_file(sys.stdin.buffer, policy=email.policy.default)
for v in m.get_all(sys.argv[1], []): print(v.replace("\t", " "))
print("defects: %s" % m.defects) if m.defects else None' "$1"
}
# rcpts: of the envelope, on one line
rcpts() {
	envelope | sed -n 's/^rcpt=<\(.*\)>.*/\1/p' | tr '\n' ' ' | sed 's/ $//'
}

given '' bob@x.example
is "$(field From)" 'ann@d.example' 'nothing at all: From'
is "$(field To)" 'undisclosed-recipients:;' 'To'
ok 'Date is now' python3 -c '
import sys, email.utils, time
assert abs(email.utils.parsedate_to_datetime(sys.argv[1]).timestamp() - time.time()) < 60' "$(field Date)"
like "$(field Message-ID)" '^<[0-9a-z]{16}@h\.example>$' 'Message-ID'
like "$(field Received)" '^by h\.example \(relaykit, from userid [0-9]+\) +id [0-9a-z]{16} +for <bob@x\.example>; +[A-Z][a-z]{2}, ' \
    'Received'
like "$(message | head -1)" '^Received: ' 'is on top'
like "$(entry)" "$(field Received | sed 's/.* id \([0-9a-z]*\) .*/\\.\1,/')" 'and has the id'

# --- From and its name
given '\n' -F 'Ann "A" Nym' bob@x
is "$(field From)" '"Ann \"A\" Nym" <ann@d.example>' 'a name with quotes'
given '\n' -F "$(printf 'J\303\274rgen')" bob@x
is "$(field From)" "$(printf 'J\303\274rgen <ann@d.example>')" 'a name in UTF-8'
is "$(flags)" '---' 'which leaves the header ASCII'
given '\n' -f '<>' bob@x
is "$(field From)" 'Mail Delivery System <MAILER-DAEMON@d.example>' 'no sender'
fresh
printf '\n' | smtp-submit bob@x
is "$(field From | sed 's/.*<//; s/>$//')" "$(id -un)@d.example" 'no -f: the login name'
gecos=$(getent passwd "$(id -u)" | cut -d: -f5 | cut -d, -f1)
[ -z "$gecos" ] || like "$(field From)" "^\"?$gecos" 'and the name of the password file'

# --- fields
given 'From a@b Sun Nov 22\nSubject: x\nTo: a\n\nFrom here\n' bob@x
is "$(field Subject):$(body)" 'x:From here' 'an mbox line on top is left out'
given 'hello world\nmore\n' bob@x
is "$(body)" "$(printf 'hello world\nmore')" 'no header: all is body'
given 'From: root (Cron Daemon)\nTo: root\n\n' bob@x
is "$(field From)" 'root@d.example' 'what cron writes'
like "$(header)" '^From: root@d\.example \(Cron Daemon\)$' 'with its comment'
is "$(field To)" 'root@d.example' 'and To'
given 'Subject: a\n\tfolded\n line\nX-Empty:\n\n' bob@x
like "$(message | tr '\r\n' '|')" 'Subject: a\|\|	folded\|\| line\|\|X-Empty:\|\|Date' 'folding stays as it is'
given 'BCC: a@x\nReturn-path: <b@x>\nContent-Length: 7\nresent-bcc: c@x\nSubject: x\n\nbody\n' bob@x
is "$(header | grep -ciE 'bcc|return-path|content-length')" 0 'fields that do not go out'
is "$(rcpts)" 'bob@x' 'and are no recipients without -t'
given 'Date: Mon, 1 Jan 2001 00:00:00 +0000\nFrom: <x@y>\nMessage-ID: <1@x>\nCc: z@x\n\n' bob@x
is "$(header | grep -ciE '^(date|from|message-id|to|cc):')" 4 'nothing is added to a whole header'

# --- -t
given 'To: a@x, "B, b" <b@x>\nCc: g: c@x, d;\nBcc: e@x\n\tf@x\nSubject: g@x\n\n' -t
is "$(entries)" 0 'a missing comma'
like "$(cat "$T/.err")" '^smtp-submit: Bcc: ' 'is refused'
given 'To: a@x, "B, b" <b@x>\nCc: g: c@x, d;\nBcc: e@x,\n\tf@x\nSubject: g@x\n\n' -t h@x
is "$(rcpts)" 'h@x a@x b@x c@x d@d.example e@x f@x' '-t, and arguments are recipients too'
like "$(header)" '^To: a@x, "B, b" <b@x>$' 'To stays'
is "$(header | grep -c Bcc)" 0 'Bcc goes'
given 'Bcc: a@x\nSubject: x\n\n' -t
is "$(field To)" 'undisclosed-recipients:;' 'only Bcc'
given 'Resent-To: r@x\nResent-From: q@x\nReceived: by y; Mon, 1 Jan 2001 00:00:00 +0000\nResent-To: old@x\nResent-From: old@x\nTo: a@x\nBcc: b@x\n\n' -t
is "$(rcpts)" 'r@x' 'the newest Resent- block'
is "$(header | sed -n '/^Received/,/^Received: by y/p' | grep -c '^Resent-')" 4 'which is completed'
given 'To: a@@x\n\n' -t
like "$(cat "$T/.err")" '^smtp-submit: To: .*a@@x' 'a bad address'
is "$(entries)" 0 'is refused'
given 'To: undisclosed-recipients:;\n\n' -t
is "$(cat "$T/.err")" 'smtp-submit: no recipient is named' 'an empty group'
{
	printf 'Subject: x\nTo: '
	seq -f 'r%g@x.example' -s, 1 5000
	printf '\nhi\n'
} >"$T/wide"
fresh
ok '5,000 recipients in a line without a blank' smtp-submit -t <"$T/wide"
is "$(cat "$RELAYKIT_QUEUE"/new/* | grep -ac '^rcpt=') $(entries)" '5000 5' 'all are there'
is "$(awk '{ if (length($0) > 999) n++ } END { print n + 0 }' "$RELAYKIT_QUEUE"/new/*)" 0 'and no line is too long'
for f in "$RELAYKIT_QUEUE"/new/*; do
	is "$(message "$f" | python3 -c '
import sys, email, email.utils
print(len(email.utils.getaddresses([email.message_from_binary_file(sys.stdin.buffer)["To"]])))')" 5000 \
	    'nor is an address lost in To'
	break
done

# --- 8 bits
given 'Subject: x\n\nc\303\251\n' bob@x
is "$(flags)" '8--' 'an 8-bit body'
given 'Subject: c\303\251\n\nx\n' bob@x
is "$(flags)" '8u-' 'a UTF-8 header'
given 'Subject: c\351\n\nx\n' bob@x
is "$(flags)" '8--' 'a Latin-1 header is only 8-bit'
given 'Subject: x\n\nx\n' "$(printf 'b\303\274@x.example')"
is "$(flags)" '---' 'a UTF-8 recipient does not make the header so'
done_testing
