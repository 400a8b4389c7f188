#!/bin/sh
# smtp-submit: one message, its options, its refusals.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/submit.sh"

printf 'Subject: x\n\nline one\n.\nafter the dot\n' >"$T/msg"

# --- the plain way
ok 'a message is taken' smtp-submit -f ann@d.example bob@x.example <"$T/msg"
is "$(cat "$T/.out")$(cat "$T/.err")" '' 'silence means success'
is "$(entries)" 1 'one entry'
is "$(envelope | sed 's/^user=.*/user/')" "$(printf 'sender=<ann@d.example>\nrcpt=<bob@x.example>'
    [ "$(id -u)" -eq 0 ] || printf '\nuser')" 'its envelope'
is "$(body)" 'line one' 'a dot alone ends it'
is "$(message | tr -d '\r' | wc -c)" "$(($(message | wc -c) - $(message | wc -l)))" 'every line ends with CRLF'
like "$(entry)" '/[0-9]{10}\.[0-9a-hjkmnp-tv-z]{16},mail,[0-9]+,x\.example$' 'its name'
is "$(entry | sed 's/.*,mail,\([0-9]*\),.*/\1/')" "$(message | wc -c)" 'its name has its size'

for i in -i -oi '-O IgnoreDots=yes'; do
	fresh
	# shellcheck disable=SC2086
	ok "taken with $i" smtp-submit $i bob@x.example <"$T/msg"
	is "$(body)" "$(printf 'line one\n.\nafter the dot')" "with $i a dot is content"
done

# --- the envelope
envelope_of() {
	fresh
	smtp-submit "$@" <"$T/msg" >"$T/.out" 2>"$T/.err" || cat "$T/.err"
	envelope | grep -v '^user='
}
me=$(id -un)
is "$(envelope_of bob@x.example)" "$(printf 'sender=<%s@d.example>\nrcpt=<bob@x.example>' "$me")" \
    'the login name is the sender'
is "$(envelope_of -f '<>' bob)" "$(printf 'sender=<>\nrcpt=<bob@d.example>')" \
    'no sender, and a bare name'
is "$(envelope_of -f '' bob)" "$(printf 'sender=<>\nrcpt=<bob@d.example>')" 'an empty sender'
is "$(envelope_of -r ann -f 'Bea <bea@x>' 'C. <c@x>, d@x' d@X '"e f"@x')" \
    "$(printf 'sender=<bea@x>\nrcpt=<c@x>\nrcpt=<d@x>\nrcpt=<"e f"@x>')" 'lists, names, doubles'
is "$(envelope_of -f a@x -- -odd@x)" "$(printf 'sender=<a@x>\nrcpt=<-odd@x>')" 'an address like an option'
is "$(envelope_of -f a@x -N success,FAILURE -R hdrs -V 'a+b c' b+c@x)" \
    "$(printf 'sender=<a@x> RET=HDRS ENVID=a+2Bb+20c\nrcpt=<b+c@x> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b+2Bc@x')" \
    'notifications, RFC 3461 4'
is "$(envelope_of -f a@x -R full -V x -N never -R hdrs -V 'y z' -N delay b@x | grep -c 'RET=HDRS ENVID=y+20z$\|^rcpt=<b@x> NOTIFY=DELAY ')" \
    2 'said again each counts instead'
is "$(envelope_of -f a@x -N never b@x)" "$(printf 'sender=<a@x>\nrcpt=<b@x> NOTIFY=NEVER ORCPT=rfc822;b@x')" \
    'none at all'
is "$(envelope_of -f a@x -O tag=t1 -O holduntil=1999999999 -O smtputf8=yes b@x)" \
    "$(printf 'sender=<a@x>\nrcpt=<b@x>\ntag=<t1>\nholduntil=1999999999\nsmtputf8=1')" 'tag, hold, smtputf8'
like "$(entry)" '/1999999999\.' 'the name is due then'
is "$(envelope_of -f a@x -O holduntil=2033-05-18T03:33:19Z b@x | tail -1)" 'holduntil=1999999999' 'a date'
envelope_of -f a@x -O stream=bulk b@x >/dev/null
like "$(entry)" ',bulk,' 'a stream'
is "$(envelope_of -f a@x "$(printf 'b\303\274@x')")" "$(printf 'sender=<a@x>\nrcpt=<b\303\274@x>')" 'a UTF-8 address'

# what is put in comes out, however it is quoted
fresh
smtp-submit -f '"a>b\"c"@x' -- '"d>e"@x' '"f \\"@x' "$(printf '"g\303\274"@x')" '-h@x' <"$T/msg"
is "$(smtp-queue list --json | python3 -c '
import json, sys
e = json.loads(sys.stdin.readline())
print(e["sender"], *[r["address"] for r in e["recipients"]])')" \
    "$(printf '"a>b\\"c"@x "d>e"@x "f \\\\"@x g\303\274@x -h@x')" 'addresses with quotes and brackets'

# --- all that a sendmail may be given
ok 'options that mean nothing here' smtp-submit -Am -B8BITMIME -bm -c -d -d0.1 -em -G -h 3 -L tag -m -n -oee \
    -oem -oQ/tmp -om -o7 -O Timeout.queuereturn=1d -p SMTP:host -U -X /dev/null -x -odq -f a@x b@x <"$T/msg"
for name in sendmail mailq newaliases; do ln -s "$BUILD/bin/smtp-submit" "$T/$name"; done
fresh
ok 'as sendmail' "$T/sendmail" -t -i bob@x <"$T/msg"
ok 'newaliases' "$T/newaliases"
ok '-bi' smtp-submit -bi
ok '-I' smtp-submit -I
is "$(cat "$T/.out")$(cat "$T/.err")" '' 'has nothing to do'

# --- what is told
fresh
out=$(smtp-submit -v b@x c@x <"$T/msg")
is "$out" "$(printf '%s\tb@x\n%s\tc@x' "${out%%	*}" "${out%%	*}")" '-v: a line a recipient'
like "$(entry)" "\\.${out%%	*}," 'with the id'
fresh
out=$(smtp-submit --json -f a@x b@x c@x <"$T/msg")
is "$out" "{\"id\":\"$(entry | sed 's/.*\.\(................\),.*/\1/')\",\"sender\":\"a@x\",\"recipients\":[\"b@x\",\"c@x\"],\"stream\":\"mail\"}" \
    '--json: an object an entry'
is "$(smtp-submit -bv ann 'Bob <bob@x>')" \
    "$(printf '%s... deliverable: its syntax is good, nothing was looked up\n' ann@d.example bob@x)" '-bv'
smtp-submit -bv a@@b >"$T/.out"
is "$?" 65 '-bv of a bad address'
like "$(cat "$T/.out")" '^a@@b\.\.\. ' 'says what is wrong'

# --- the examples of the page
fresh
cp "$T/msg" "$T/report"
printf 'To: c@x\n\nhi\n' >"$T/message"
printf 'r1@x\nr2@x\n' >"$T/readers"
sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/p' "$TOP/man/smtp-submit.1" | sed -e '/^\./d' -e 's/\\e/\\/g' >"$T/examples"
ok 'the examples run' sh -ec 'cd "$T" && . ./examples'
is "$(cat "$RELAYKIT_QUEUE"/new/* | sed -n 's/^rcpt=//p' | sort | tr '\n' ' ')" \
    '<-odd@example.org> <admin@example.org> <c@x> <r1@x> <r2@x> ' 'and do what they say'

# --- what is refused
m=smtp-submit
refused 'no recipient' 64 "$m: no recipient: name one, or take those of the header with -t" smtp-submit <"$T/msg"
refused 'no recipient in the header' 65 "$m: no recipient is named" smtp-submit -t <"$T/msg"
refused 'an empty recipient' 65 "$m: recipient: \"\" is no address" smtp-submit '' <"$T/msg"
fresh
smtp-submit b@x c@@x <"$T/msg" 2>"$T/.err"
is "$?" 65 'a bad recipient'
like "$(cat "$T/.err")" '^smtp-submit: recipient: .*c@@x' 'is named'
is "$(entries)" 0 'and the good one gets nothing'
smtp-submit -f 'a b@x' b@x <"$T/msg" 2>"$T/.err"
is "$?" 65 'a bad sender'
like "$(cat "$T/.err")" '^smtp-submit: sender: ' 'is said to be one'
refused 'two senders' 64 "$m: sender: -f: more than one address" smtp-submit -f a@x,b@x c@x <"$T/msg"
refused 'LF in an argument' 64 "$m: CR or LF in argument 2" smtp-submit -F "$(printf 'a\nBcc: x@y')" b@x <"$T/msg"
refused 'CR in an argument' 64 "$m: CR or LF in argument 1" smtp-submit "$(printf 'b@x\rc')" <"$T/msg"
refused 'an option behind an address' 64 \
    "$m: -f: options go before addresses; \"--\" goes before an address that begins so" \
    smtp-submit b@x -f a@x <"$T/msg"
refused '-bs with an address' 64 "$m: -bs: addresses come from standard input" smtp-submit -bs a@x.example
refused '-bd' 64 "$m: -bd: this is no daemon; smtp-deliver --follow watches the queue" smtp-submit -bd
refused '-bx' 64 "$m: -bx: not a mode" smtp-submit -bx
refused '-N' 64 "$m: -N never,delay: neither \"never\" nor of success, failure, delay" \
    smtp-submit -N never,delay b@x <"$T/msg"
refused '-R' 64 "$m: -R all: neither \"full\" nor \"hdrs\"" smtp-submit -R all b@x <"$T/msg"
refused '-V' 64 "$m: -V : not 1 to 100 characters" smtp-submit -V '' b@x <"$T/msg"
hundred=$(printf '%0100d' 0)
ok '-V of 100' smtp-submit -V "$hundred" b@x <"$T/msg"
refused '-V of 101' 64 "$m: -V ${hundred}0: not 1 to 100 characters" smtp-submit -V "${hundred}0" b@x <"$T/msg"
refused '-B' 64 "$m: -B 9BIT: neither 7BIT nor 8BITMIME" smtp-submit -B 9BIT b@x <"$T/msg"
refused 'a stream' 64 "$m: -O stream=a_b: not 1 to 16 of a-z, 0-9 and \"-\"" \
    smtp-submit -O stream=a_b b@x <"$T/msg"
for tag in '' 'a>b' 'a"b' 'a\b' "$(printf 'a\tb')" "$(printf 'a\377b')" "${hundred}0"; do
	smtp-submit -O "tag=$tag" b@x <"$T/msg" 2>"$T/.err"
	is "$?" 64 "a tag: $(grep -c 'not 1 to 100 characters' "$T/.err")"
done
ok 'a tag of 100' smtp-submit -O "tag=$hundred" b@x <"$T/msg"
refused 'a date' 64 "$m: -O holduntil=soon: neither seconds since 1970 nor 2026-12-31T08:00:00Z" \
    smtp-submit -O holduntil=soon b@x <"$T/msg"
refused '-oeq' 64 '' smtp-submit -oeq <"$T/msg"
refused '-eq' 64 '' smtp-submit -eq <"$T/msg"
refused 'a missing configuration' 78 "$m: $T/none: no such file" smtp-submit -C "$T/none" b@x <"$T/msg"
fresh
fails 'stdout on a full disk is told, but the message is queued' 0 \
    "$m: stdout: No space left on device" sh -c "smtp-submit -v b@x <'$T/msg' >/dev/full"
is "$(entries)" 1 'and stays so'
done_testing
