#!/bin/sh
# Who is on the suppression list: refused where mail is taken, and again where it is delivered; who is dead
# by a server's word enters the list, and is mailed no second time.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/serve.sh"

RELAYKIT_QUEUE=$T/q
RELAYKIT_CONFIG=$T/conf
export RELAYKIT_QUEUE RELAYKIT_CONFIG
mkdir "$T/q"
# configure TEXT: for all programs
configure() {
	serve_conf "$1"
	cp "$T/serve.conf" "$T/conf"
}
configure 'serve { networks = "127.0.0.1" }'
printf 'Subject: x\n\nhello\n' >"$T/msg"
# submit ADDRESS...: into the queue
submit() {
	smtp-submit -odq -f ann@h.example "$@" <"$T/msg"
}
tab=$(printf '\t')
# enter ADDRESS SCOPE
enter() {
	printf '%s\tuserunknown\tbounce\t%s\t2026-01-02T03:04:05Z\t-\tno such user\n' "$1" "$2" | suppress import
}
why="dead@x.example is suppressed since 2026-01-02T03:04:05Z: userunknown, says bounce"

ok 'without a list all goes' submit dead@x.example
is "$(queued)" 1 'into the queue'
is "$(find "$T/q/state" -name suppress 2>/dev/null)" '' 'and no list is made'
empty_queue
serve_start # before there is a list
enter dead@x.example '*'
enter bulky@x.example bulk

# --- smtp-submit
fails 'one recipient' 67 "smtp-submit: $why" submit dead@x.example
fails 'in another spelling' 67 "smtp-submit: $(echo "$why" | sed 's/dead@x/DEAD@X/')" submit DEAD@X.example
printf 'To: dead@x.example\n\nx\n' >"$T/to"
fails 'of the header' 67 "smtp-submit: $why" sh -c "smtp-submit -odq -t -f a@h.example <'$T/to'"
fails 'quietly' 67 '' sh -c "smtp-submit -oeq -odq dead@x.example <'$T/msg'"
is "$(queued)" 0 'nothing is queued'
ok 'a stream of its own' submit bulky@x.example
fails 'the one that it is for' 67 \
    'smtp-submit: bulky@x.example is suppressed since 2026-01-02T03:04:05Z: userunknown, says bounce' \
    submit -O stream=bulk bulky@x.example
fails 'two of two' 67 "smtp-submit: dead@x.example is suppressed since 2026-01-02T03:04:05Z: userunknown, says bounce
smtp-submit: bulky@x.example is suppressed since 2026-01-02T03:04:05Z: userunknown, says bounce
smtp-submit: no recipient is left: $why" submit -O stream=bulk dead@x.example bulky@x.example
empty_queue
fails 'one of two' 0 "smtp-submit: $why" submit dead@x.example bob@x.example
is "$(queued)" 1 'it is queued for both: who delivers it refuses the one'
empty_queue
smtp-submit -bv dead@x.example bob@x.example >"$T/out"
is "$? $(cat "$T/out")" "67 dead@x.example... $why
bob@x.example... deliverable: its syntax is good, nothing was looked up" '-bv says so'
printf '%s\n' 'MAIL FROM:<a@h.example>' 'RCPT TO:<dead@x.example>' DATA 'Subject: x' '' 'x' . \
    'MAIL FROM:<a@h.example>' 'RCPT TO:<dead@x.example>' 'RCPT TO:<bob@x.example>' DATA '' . QUIT >"$T/batch"
smtp-submit -bS -odq <"$T/batch" >"$T/out" 2>"$T/err"
is "$? $(sed 's/[0-9a-z]\{16\}/ID/' "$T/out")" "65 550 5.7.1 $why
250 2.0.0 ID queued" '-bS: of a message that nobody is left of'
is "$(queued)" 1 'the other is queued'
empty_queue

# --- SMTP
is "$(printf '%s\r\n' 'EHLO x' 'MAIL FROM:<a@h.example>' 'RCPT TO:<bob@x.example>' 'RCPT TO:<dead@x.example>' QUIT |
    smtp-submit -bs -odq | tr -d '\r' | sed -n '/^5/p;/OK/p' | tail -1)" "550 5.7.1 $why" '-bs refuses that recipient'
is "$(say 'EHLO x' 'MAIL FROM:<a@h.example>' 'RCPT TO:<bob@x.example>' 'RCPT TO:<dead@x.example>' QUIT | grep -c '^550 5.7.1 dead')" 1 \
    'and so does smtp-serve'
enter 'dead@bücher.example' '*'
is "$(say 'EHLO x' 'MAIL FROM:<a@h.example> SMTPUTF8' 'RCPT TO:<dead@bücher.example>' QUIT | grep -c '^550 5.7.1 ')" 1 \
    'where the domain is not ASCII too'
# listening ADDRESS: what smtp-serve says that listens since there was no list
listening() {
	python3 -c '
import smtplib, sys
with smtplib.SMTP("127.0.0.1", int(sys.argv[1]), timeout=60) as s:
    s.ehlo()
    s.mail("a@h.example", ["SMTPUTF8"])
    s.command_encoding = "utf-8"
    print(*s.rcpt(sys.argv[2]))' "$PORT" "$1"
}
is "$(listening dead@x.example)" "550 b'5.7.1 $why'" 'a list that began while it listens'
sanitized || # for it is not confined then, and loads what it wants
    is "$(listening 'dead@bücher.example' | cut -c 1-12)" "250 b'2.1.5 " 'for other domains it has no library then'
serve_stop
serve_start
is "$(listening 'dead@bücher.example' | cut -c 1-12)" "550 b'5.7.1 " 'which it loads at its next start'
serve_stop
submit 'dead@bücher.example' 2>"$T/err"
is "$?" 67 'smtp-submit has it'

# --- delivery
trap_start --json >"$T/trap.out"
configure "delivery = queue
route \"*\" { relay = \"127.0.0.1:$PORT\" }"
deliver() {
	smtp-deliver --queue "$T/q" "$@" >"$T/out" 2>"$T/err"
}
# events TYPE...: recipient, code, status, text
events() {
	for type; do
		cat "$T"/q/log/*.jsonl | python3 -c '
import json, sys
for line in sys.stdin:
    e = json.loads(line)
    if e["type"] == sys.argv[1]:
        r = e.get("response", {})
        print(e.get("recipient"), r.get("code", 0), r.get("enhanced_code"), r.get("content"))' "$type"
	done
}
suppress remove dead@x.example
submit dead@x.example bob@x.example
suppress add --reason complaint --source feedback dead@x.example
deliver
is "$? $(cat "$T/err")" '0 ' 'a run has no trouble'
is "$(events bounced | sed 's/since .*Z:/since WHEN:/')" \
    'dead@x.example 0 5.7.1 dead@x.example is suppressed since WHEN: complaint, says feedback' \
    'who has come onto the list in the meantime fails'
is "$(events delivered | cut -d ' ' -f 1 | sort | tr '\n' ' ')" 'ann@h.example bob@x.example ' 'the other has it'
is "$(events notified | wc -l)" 1 'and the sender is told'
is "$(cat "$T"/trap/new/* | tr -d '\r' | grep -c '^Status: 5\.7\.1')" 1 'with the status of it'
rm -rf "$T"/q/new/* "$T"/q/cur/* "$T"/q/log/*
configure "delivery = queue
suppress { dsn = no }
route \"*\" { relay = \"127.0.0.1:$PORT\" }"
submit dead@x.example bob@x.example 2>/dev/null
deliver
is "$(events bounced | wc -l) $(events notified | wc -l) $(queued)" '1 0 0' 'with dsn = no he is not'

# --- what servers say
configure "delivery = queue
notices { bounce = none }
route \"*\" { relay = \"127.0.0.1:$PORT\" }"
rm -rf "$T"/q/log/*
# again ADDRESS...: submitted and delivered
again() {
	submit "$@" 2>"$T/err2"
	deliver --now
}
again reject-550-5.1.1@x.example
is "$(suppress why reject-550-5.1.1@x.example | cut -f 2-4)" "userunknown${tab}delivery${tab}*" 'dead by RCPT: on the list'
like "$(suppress why reject-550-5.1.1@x.example)" '550 5\.1\.1 ' 'with what was said'
submit reject-550-5.1.1@x.example 2>"$T/err"
is "$?" 67 'mailed no second time'
again data-reject-550-5.1.1+1@x.example data-reject-550-5.1.1+2@x.example
is "$(suppress list | grep -c data-reject)" 0 'what a message is told is about none of its recipients'
again data-reject-550-5.1.1+1@x.example
is "$(suppress list | grep -c data-reject)" 1 'unless there is one alone'
for i in 1 2 3 4; do again reject-552-5.2.2@x.example; done
is "$(suppress list | grep -c reject-552)" 0 'a full mailbox, four times'
again reject-552-5.2.2@x.example
is "$(suppress why reject-552-5.2.2@x.example | cut -f 2)" mailboxfull 'the fifth is enough'
until=$(suppress why reject-552-5.2.2@x.example | cut -f 6)
since=$(suppress why reject-552-5.2.2@x.example | cut -f 5)
is "$(($(date -d "$until" +%s) - $(date -d "$since" +%s)))" $((90 * 86400)) 'for 90 days'
suppress remove reject-552-5.2.2@x.example
again reject-552-5.2.2@x.example
is "$(suppress list | grep -c reject-552)" 0 'who was taken off begins anew'
again reject-550-5.7.1@x.example defer-450-4.1.1@x.example
is "$(suppress list | grep -c '5.7.1\|4.1.1')" 0 'no other refusal is about him, nor is a deferral'
configure "delivery = queue
notices { bounce = none }
suppress { hard = none soft = userunknown soft_count = 2 soft_for = 0 }
route \"*\" { relay = \"127.0.0.1:$PORT\" }"
again reject-550-5.1.1+x@x.example
is "$(suppress list | grep -c '5.1.1+x')" 0 'by another policy dead is not at once'
again reject-550-5.1.1+x@x.example
is "$(suppress why reject-550-5.1.1+x@x.example | cut -f 2,6)" "userunknown${tab}-" 'but twice, for ever'

# --- a list that is damaged is made anew of what is whole
rm -rf "$T"/q/new/* "$T"/q/cur/* "$T"/q/log/* "$T"/q/failed/*
suppress add --reason complaint angry@x.example
submit bob@x.example
rm -f "$T"/q/state/suppress/list.damaged
mv "$T/q/state/suppress" "$T/q/state/away" # nobody is asked where it is taken
submit angry@x.example
mv "$T/q/state/away" "$T/q/state/suppress"
listed=$(suppress list | sort)
dd if=/dev/zero of="$T/q/state/suppress/list" bs=512 count=1 conv=notrunc 2>/dev/null
fails 'nobody reads it' 78 'suppress: suppression list: list: not a table of ours' suppress list
deliver
like "$? $(cat "$T/err")" '^75 smtp-deliver: suppression list: list was damaged: it is made anew of the [0-9]+ lines that were whole, and what it was is list\.damaged$' \
    'the run that meets it mends it, and tells'
is "$(suppress list | sort)" "$listed" 'all of it is there'
ok 'what it was is kept' test -s "$T/q/state/suppress/list.damaged"
deliver
is "$? $(events delivered | wc -l) $(events bounced | grep -c angry@)" '0 1 1' 'mail goes on, and not to those who are on it'

# --- a line of it that is damaged stops whom it may be about
rm -rf "$T"/q/new/* "$T"/q/cur/* "$T"/q/log/* "$T"/q/failed/*
mv "$T/q/state/suppress" "$T/q/state/away"
submit cross@x.example
submit bob@x.example
mv "$T/q/state/away" "$T/q/state/suppress"
suppress add --reason complaint cross@x.example
# spoil WORD: the first byte of the first is another
spoil() {
	at=$(grep -abo "$1" "$T/q/state/suppress/list" | head -n 1 | cut -d : -f 1)
	printf '~' | dd of="$T/q/state/suppress/list" bs=1 seek="$at" conv=notrunc 2>/dev/null
}
suppress list | sort >"$T/listed"
spoil 'cross@x'
damage='suppression list: list: it is damaged where cross@x.example would be'
deliver
is "$? $(cat "$T/err")" "75 smtp-deliver: $damage" 'a byte of the address is another: that is told'
is "$(events delivered | wc -l) $(events delivered | grep -c cross@) $(queued)" '1 0 1' 'and he is sent nothing, but others are'
suppress list >"$T/out" 2>"$T/err"
is "$? $(cat "$T/err")" '65 suppress: list: a damaged line: ~ross@x.example' 'suppress list names it'
is "$(sort "$T/out")" "$(grep -v cross@ "$T/listed")" 'and lists the others'
fails 'suppress export says so, too' 65 'suppress: list: a damaged line: ~ross@x.example' suppress export
fails 'so does why' 75 "suppress: cross@x.example: list: it is damaged where cross@x.example would be" suppress why cross@x.example
suppress add --reason complaint cross@x.example
deliver
is "$? $(cat "$T/err") $(events bounced | grep -c cross@) $(queued)" '0  1 0' 'until somebody says again what he is'
suppress tidy 2>"$T/err"
like "$? $(cat "$T/err")" '^75 suppress: list was damaged: it is made anew of the [0-9]+ lines that were whole, and what it was is list\.damaged$' \
    'made anew it is without the line, and that is told'
is "$(suppress list 2>&1 | cut -f 1 | sort)" "$(cut -f 1 "$T/listed")" 'all others are there'

# --- a list that cannot be read stops what it is asked about
rm -rf "$T"/q/new/* "$T"/q/cur/* "$T"/q/log/*
submit bob@x.example
echo broken >"$T/q/state/suppress/list"
ok 'mail is still taken' submit cy@x.example
deliver
is "$? $(cat "$T/err")" '75 smtp-deliver: suppression list: list: not a table of ours' 'but not sent'
is "$(queued)" 2 'it waits'
rm -r "$T/q/state/suppress"
deliver
is "$? $(events delivered | wc -l)" '0 2' 'until there is a good one, or none'
done_testing
