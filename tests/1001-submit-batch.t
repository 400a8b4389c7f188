#!/bin/sh
# smtp-submit -bS: batch SMTP on standard input.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/submit.sh"

# batch TEXT [OPTION...]: its standard output, ids as ID; $T/.rc and $T/.err too
batch() {
	text=$1
	shift
	fresh
	printf "$text" | smtp-submit -bS -odq "$@" >"$T/.raw" 2>"$T/.err"
	echo $? >"$T/.rc"
	sed 's/[0-9a-z]\{16\}/ID/g' "$T/.raw"
}
rc() {
	cat "$T/.rc"
}
ok1='250 2.0.0 ID queued'
hello='EHLO me\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\nSubject: 1\r\n\r\n..one\r\n.\r\n'

is "$(batch "${hello}QUIT\r\n")" "$ok1" 'one message'
is "$(rc)" 0 'exits 0'
is "$(body)" '.one' 'a doubled dot is single'
like "$(entry)" "\\.$(sed 's/250 2.0.0 \(.*\) queued/\1/' "$T/.raw")," 'the id is that of the entry'
is "$(envelope | grep -v ^user)" "$(printf 'sender=<a@x>\nrcpt=<b@x>')" 'its envelope'
like "$(header)" '^From: a@x$' 'From is the sender, not the caller'

is "$(batch "$(printf '%s' "$hello" | sed 's/\\r//g')QUIT\n")" "$ok1" 'LF line ends'
is "$(body)" '.one' 'and the same message'
is "$(batch "$hello")" "$ok1" 'the end of input will do for QUIT'
is "$(batch "$hello$hello$hello")" "$(printf '%s\n%s\n%s' "$ok1" "$ok1" "$ok1")" 'three messages'
is "$(entries)" 3 'three entries'
is "$(batch '')" '' 'nothing at all'
is "$(rc)" 0 'is fine'
is "$(batch "# comment\n\nnoop\nVRFY x\nRSET\nmail from: <a@x>\nrcpt to: <b>\ndata\n\n.\n")" "$ok1" \
    'comments, small letters, blanks'
is "$(envelope | grep rcpt)" 'rcpt=<b@d.example>' 'a bare name is completed'
is "$(batch "MAIL FROM:<> RET=HDRS ENVID=a+2Bb SIZE=10 BODY=8BITMIME SMTPUTF8 AUTH=<>\nRCPT TO:<b@x> NOTIFY=NEVER ORCPT=rfc822;b@x\nDATA\n\n.\n")" \
    "$ok1" 'parameters'
is "$(envelope | grep -v ^user)" "$(printf 'sender=<> RET=HDRS ENVID=a+2Bb\nrcpt=<b@x> NOTIFY=NEVER ORCPT=rfc822;b@x\nsmtputf8=1')" \
    'are kept'
is "$(batch "MAIL FROM:<a@x> HOLDUNTIL=2033-05-18T03:33:19Z\nRCPT TO:<b@x>\nDATA\n\n.\n")" "$ok1" 'HOLDUNTIL'
is "$(envelope | grep hold)" 'holduntil=1999999999' 'is kept'
like "$(batch "MAIL FROM:<a@x> HOLDUNTIL=2286-11-20T17:46:39Z\nRCPT TO:<b@x>\nDATA\n\n.\n")" '^250' 'HOLDUNTIL that just fits a name'
like "$(batch "MAIL FROM:<a@x> HOLDUNTIL=2286-11-20T17:46:40Z\nRCPT TO:<b@x>\nDATA\n\n.\n")" '^501' 'a second later: refused, not lost'
is "$(batch "$hello" -O stream=bulk -O tag=t)" "$ok1" 'options for all'
like "$(entry) $(envelope | tr '\n' ' ')" ',bulk,.*tag=<t>' 'are kept'
is "$(batch "$hello" --json)" '{"code":250,"enhanced_code":"2.0.0","ids":["ID"],"recipients":1}' '--json'

# --- one refused, the next taken
# after WHAT BATCH LINE [CODE]: that batch gives this line, and a good message behind it is taken
after() {
	is "$(batch "$2$hello")" "$(printf '%s\n%s' "$3" "$ok1")" "$1"
	is "$(rc) $(entries)" "${4:-65} 1" "$1: exit code, and the other one is there"
}
after 'bad recipient' 'MAIL FROM:<a@x>\nRCPT TO:<b@x>\nRCPT TO:<c@@x>\nDATA\nx\n..\n.\n' \
    "$(batch 'MAIL FROM:<a@x>\nRCPT TO:<c@@x>\nDATA\n.\n')"
like "$(batch 'MAIL FROM:<a@x>\nRCPT TO:<c@@x>\nDATA\n.\n')" '^553 5\.1\.3 .*c@@x' 'a bad recipient is named'
like "$(batch 'MAIL FROM:<a b>\nRCPT TO:<c@x>\nDATA\n.\n')" '^553 5\.1\.7 ' 'a bad sender'
after 'no recipient' 'MAIL FROM:<a@x>\nDATA\nx\n.\n' '554 5.5.1 no recipients'
after 'no MAIL' 'RCPT TO:<b@x>\nDATA\nx\n.\n' '503 5.5.1 RCPT without MAIL'
after 'nothing' 'DATA\nx\n.\n' '503 5.5.1 DATA without MAIL'
after 'MAIL twice' 'MAIL FROM:<a@x>\nMAIL FROM:<a@x>\nRCPT TO:<b@x>\nDATA\nx\n.\n' '503 5.5.1 MAIL inside a transaction'
after 'null recipient' 'MAIL FROM:<a@x>\nRCPT TO:<>\nDATA\nx\n.\n' '553 5.1.3 <> is no recipient'
after 'unknown parameter' 'MAIL FROM:<a@x> X=1\nRCPT TO:<b@x>\nDATA\nx\n.\n' \
    '555 5.5.4 MAIL: a parameter that is not known here'
for twice in 'RET=FULL RET=HDRS' 'ENVID=a ENVID=b' 'SIZE=1 size=1'; do
	after "$twice" "MAIL FROM:<a@x> $twice\nRCPT TO:<b@x>\nDATA\nx\n.\n" '501 5.5.4 MAIL: a parameter that is given twice'
done
for twice in 'NOTIFY=NEVER NOTIFY=SUCCESS' 'ORCPT=rfc822;b@x NOTIFY=NEVER Orcpt=rfc822;b@x'; do
	after "$twice" "MAIL FROM:<a@x>\nRCPT TO:<b@x> $twice\nDATA\nx\n.\n" '501 5.5.4 RCPT: a parameter that is given twice'
done
after 'garbage behind it' 'MAIL FROM:<a@x> =\nRCPT TO:<b@x>\nDATA\nx\n.\n' '501 5.5.4 MAIL: something behind its parameters'
after 'bad NOTIFY' 'MAIL FROM:<a@x>\nRCPT TO:<b@x> NOTIFY=SOON\nDATA\nx\n.\n' \
    '501 5.5.4 NOTIFY: not NEVER, nor of SUCCESS, FAILURE, DELAY'
after 'NUL in it' 'MAIL FROM:<a@x>\nRCPT TO:<b@x>\nDATA\n\nx\000y\n.\n' '554 5.6.0 NUL in the message'
after 'bare CR in it' 'MAIL FROM:<a@x>\nRCPT TO:<b@x>\nDATA\n\nx\ry\n.\n' '554 5.6.0 CR without LF in the message'
after 'bare CR before a dot' 'MAIL FROM:<a@x>\nRCPT TO:<b@x>\nDATA\n\nx\r.\r\nRSET\n.\n' \
    '554 5.6.0 CR without LF in the message'
after 'unknown commands in a row' 'hello\nSubject: x\n\n' '500 5.5.2 command not recognized'
after 'unknown command in a transaction' 'MAIL FROM:<a@x>\nRCTP TO:<b@x>\nRCPT TO:<b@x>\nDATA\nx\n.\n' \
    '500 5.5.2 command not recognized'
after 'a refused one that is reset' 'MAIL FROM:<a@x>\nRCPT TO:<>\nRSET\n' '553 5.1.3 <> is no recipient'
after 'BDAT' 'MAIL FROM:<a@x>\nRCPT TO:<b@x>\nBDAT 6 LAST\nRSET\r\n' '502 5.5.1 BDAT is not for batches: use DATA'
after 'BDAT in parts' 'MAIL FROM:<a@x>\nRCPT TO:<b@x>\nBDAT 3\nQUIBDAT 4 LAST\nQUIT' \
    '502 5.5.1 BDAT is not for batches: use DATA'
after 'a long command' "$(head -c 5000 /dev/zero | tr '\0' x)\n" '500 5.5.2 line too long'
# Were the next line lost with it what is content would be commands.
after 'a command one byte too long' \
    "MAIL FROM:<a@x>\nRCPT TO:<b@x>\n$(head -c 4097 /dev/zero | tr '\0' x)\nDATA\nRSET\n$hello" '500 5.5.2 line too long'
is "$(batch "MAIL FROM:<a@x>\nRCPT TO:<b@x>\nRSET\n$hello")" "$ok1" 'a good one that is reset was no message'
is "$(batch "${hello}MAIL FROM:<a@x>\nRCPT TO:<b@x>\nDATA\n\nx\n")" \
    "$(printf '%s\n451 4.4.2 input ended before the final dot' "$ok1")" 'a message that is cut off'
is "$(rc) $(entries)" '75 1' 'may come again'
is "$(batch "${hello}MAIL FROM:<a@x>\nRCPT TO:<b@x>\nDATA\n\nx\n.")" \
    "$(printf '%s\n451 4.4.2 input ended before the final dot' "$ok1")" 'cut off behind a dot: it may have been two'
is "$(batch "${hello}MAIL FROM:<a@x>\n")" "$(printf '%s\n451 4.4.2 input ended inside a transaction' "$ok1")" \
    'a transaction that is cut off'
configure 'max_message_bytes = 2000'
after 'SIZE' 'MAIL FROM:<a@x> SIZE=2001\nRCPT TO:<b@x>\nDATA\nx\n.\n' '552 5.3.4 SIZE: over the limit'
is "$(batch "MAIL FROM:<a@x> SIZE=2000\nRCPT TO:<b@x>\nDATA\n\n.\n")" "$ok1" 'SIZE of the limit'
after 'size' "MAIL FROM:<a@x>\nRCPT TO:<b@x>\nDATA\n\n$(head -c 2000 /dev/zero | tr '\0' 'x' | fold)\n.\n" \
    '554 5.6.0 message over 2000 bytes'
configure
batch "DATA\nx\n.\n${hello}" --json >/dev/null
is "$(head -1 "$T/.raw")" \
    '{"code":503,"enhanced_code":"5.5.1","ids":[],"recipients":0,"content":"DATA without MAIL"}' 'refused, as JSON'
is "$(cat "$T/.err")" 'smtp-submit: 1 of 2 messages were refused' 'and told in sum'
fails 'no addresses with -bS' 64 'smtp-submit: -bS: addresses come from standard input' smtp-submit -bS b@x

# --- many
fresh
python3 - >"$T/many" <<'EOP'
import sys
for i in range(1000):
    sys.stdout.write("MAIL FROM:<a@x>\r\nRCPT TO:<r%d@x>\r\nDATA\r\nSubject: %d\r\n\r\nbody %d\r\n.\r\n" % (i, i, i))
EOP
smtp-submit -bS <"$T/many" >"$T/out"
is "$(grep -c '^250 ' "$T/out") $(entries)" '1000 1000' 'a thousand messages'
is "$(awk '{ print $3 }' "$T/out" | sort -u | wc -l)" 1000 'a thousand ids'
# The id that line N tells is that of message N.
bad=0
n=0
while read -r _ _ id _; do
	[ $((n % 97)) -ne 0 ] || grep -q "^rcpt=<r$n@x>" "$RELAYKIT_QUEUE"/new/*."$id",* || bad=1
	n=$((n + 1))
done <"$T/out"
is "$bad" 0 'each line has the id of its message'

# Results come before input that does not: a client may wait for them.
fresh
mkfifo "$T/in"
smtp-submit -bS <"$T/in" >"$T/out" &
pid=$!
exec 7>"$T/in"
printf "$hello" >&7
ok 'the result is there before more input' until_true 40 grep -q '^250' "$T/out"
printf "$hello" >&7
exec 7>&-
wait "$pid"
is "$? $(wc -l <"$T/out")" '0 2' 'and so is the next one'

# --- recipients by the thousand
fresh
{
	printf 'MAIL FROM:<a@x>\n'
	awk 'BEGIN { for (i = 0; i < 2500; i++) print "RCPT TO:<r" i "@d" i % 2 ".example>" }'
	printf 'DATA\nSubject: x\n\nbody\n.\n'
} | smtp-submit -bS >"$T/out"
is "$(awk '{ print NF }' "$T/out") $(entries)" '6 3' '2,500 recipients are three entries of one result'
is "$(cat "$RELAYKIT_QUEUE"/new/* | grep -a '^rcpt=' | sort -u | wc -l)" 2500 'each recipient once'
is "$(find "$RELAYKIT_QUEUE/new" -name '*,d0.example' | wc -l)" 1 'by domain where that works out'
done_testing
