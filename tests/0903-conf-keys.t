#!/bin/sh
# Configuration keys that no other test turns, each by what it does; and that there is a test of every key.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/notices.sh"
cd "$T" || exit 1

for key in $(sed -n 's/^\.It Ic \([a-z0-9_]*\) No =.*/\1/p' "$TOP/man/relaykit.conf.5" | sort -u); do
	grep -lE "(^|[^a-z0-9_])$key *=" "$TOP"/tests/*.t "$TOP"/tests/*.sh >"$T/.files" || echo "$key"
done >"$T/untested"
is "$(cat "$T/untested")" '' 'every key is turned in some test'

# --- default_stream
configure 'default_stream = bulk'
letter a@x.example
letter -O stream=mail b@x.example
is "$(find q/new -type f | sed 's/.*\.[^,]*,\([a-z]*\),.*/\1/' | sort | tr '\n' ' ')" 'bulk mail ' 'default_stream is for who names none'

# --- return_bytes: a message of exactly so many comes back, and one of one more does not
configure
fresh
{ printf 'Subject: lunch\nFrom: a@d.example\nTo: list:;\n\n'; yes 'all you can eat' | head -c 4000; echo; } >eat
sent() {
	smtp-submit -odq -f s@d.example reject-550@x.example <eat
	smtp-queue list --json | sed -nE 's/.*"message_size":([0-9]+).*/\1/p'
}
bytes=$(sent)
for max in "$bytes" $((bytes - 1)); do
	configure "notices { return_bytes = $max }"
	fresh
	sent >/dev/null
	deliver
	fact original
done >"$T/.got"
is "$(cat "$T/.got")" 'lunch | body
lunch | headers' "return_bytes: $bytes, of $bytes bytes and of one less"
{ printf 'Subject: lunch\nFrom: a@d.example\nTo: list:;\nX-Long: '; yes x | tr '\n' ' ' | fold -w 70 | sed '2,$s/^/ /' | head -n 20; echo; echo hi; } >eat
configure 'notices { return_bytes = 1024 }'
fresh
sent >/dev/null
deliver
is "$(grep -c '^X-Long' "$(notices)") $(fact original)" '0 lunch | headers' 'of the headers as many whole fields as fit'

# --- soft_within
bounce() { # bounce NUMBER SECONDS: one that says full, so much later
	{
		printf 'From: MAILER-DAEMON@mx.example\nSubject: failure\nMIME-Version: 1.0\n'
		printf 'Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n'
		printf 'Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n'
		printf 'Final-Recipient: rfc822; full@x.example\nAction: failed\nStatus: 4.2.2\n\n--b\n'
		printf 'Content-Type: message/rfc822\n\nMessage-ID: <%s@h.example>\n\nx\n--b--\n' "$1"
	} | LD_PRELOAD=$BUILD/faults/clockshift CLOCKSHIFT=$2 bounce-parse --apply >/dev/null
}
configure 'suppress { soft_count = 2 soft_within = 1h }'
for later in 3660 3500; do
	fresh
	mkdir q
	bounce 1 0
	bounce 2 $later
	suppress list | wc -l
done >"$T/.got"
is "$(cat "$T/.got")" '0
1' 'soft_within: two in an hour and a minute are not counted together, two in less are'

# --- dkim: copy_headers, body_length, oversign
dkim-keygen -a ed25519-sha256 -d d.example -s s -o key.pem >/dev/null
signature() { # signature LINE: the tags, one a line
	configure "dkim \"d.example/s\" { key = \"$T/key.pem\" canonicalization = \"simple/simple\" $1 }"
	printf 'From: a@d.example\nSubject: two  words\n\n12345678\n90\n' | dkim-sign -C conf |
	    sed -n '/^From: /q; p' | tr -d '\n\t ' | tr ';' '\n'
}
is "$(signature '' | grep -E '^[lz]=')" '' 'without a key neither l= nor z='
is "$(signature 'body_length = yes' | grep '^l=')" 'l=14' 'body_length: l= is what has been signed of the body, with CRLF'
# As in the example of RFC 6376 3.5: the blank behind the colon is left out, others are =20.
is "$(signature 'copy_headers = yes' | sed -n 's/^z=//p' | tr '|' '\n' | sort)" 'From:a@d.example
Subject:two=20=20words' 'copy_headers: z= holds the signed fields'
is "$(signature 'headers = "From:Subject" oversign = "Subject"' | sed -n 's/^h=//p' | tr ':' '\n' | sort -f | tr '\n' ' ')" \
    'From Subject Subject ' 'oversign: once more than it is there'

# --- fsync_log
syncs() { # syncs LINE: how often something is flushed by fdatasync(2) in a run that delivers one
	configure "$1"
	fresh
	letter ok@x.example
	faultrun -o fdatasync -n smtp-deliver --no-sandbox --relay "127.0.0.1:$PORT" 2>&1 >/dev/null </dev/null |
	    sed -n 's/^faultrun: calls //p'
}
if faultrun -n true 2>/dev/null; then
	# Under ptrace LeakSanitizer gives up.
	export ASAN_OPTIONS="detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
	without=$(syncs 'fsync_log = no')
	with=$(syncs 'fsync_log = yes')
	ok "fsync_log: $with flushes, without it $without" test "$with" -gt "$without"
	fresh
	letter ok@x.example
	faultrun -o fdatasync -e "$with" EIO smtp-deliver --no-sandbox --relay "127.0.0.1:$PORT" >/dev/null 2>err </dev/null
	like "$? $(cat err)" '^75 smtp-deliver: fsync the event log: Input/output error' 'one that fails is told'
fi
done_testing
