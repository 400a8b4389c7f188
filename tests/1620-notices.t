#!/bin/sh
# What senders are told: who, of what, when and how often; read by Python's email package.
. "$(dirname "$0")/lib.sh"
need python3
RELAYKIT_CONFIG=$T/conf
RELAYKIT_QUEUE=$T/q
export RELAYKIT_CONFIG RELAYKIT_QUEUE
case $BUILD in *sanitize* | *tsan*) sandbox=--no-sandbox ;; *) sandbox= ;; esac

# configure LINE...
configure() {
	printf '%s\n' 'hostname = "h.example"' 'domain = "d.example"' 'connection_idle = 50ms' "$@" >"$T/conf"
}
# fresh: nothing has happened yet
fresh() {
	rm -rf "$T/q" "$T"/trap/new/*
}
# letter [OPTIONS] RCPT...
letter() {
	printf 'Subject: lunch\nFrom: a@d.example\nTo: list:;\n\nat noon\n' | smtp-submit -odq -f s@d.example "$@"
}
# deliver [OPTIONS]: one run, which says nothing
deliver() {
	timeout 60 smtp-deliver $sandbox --relay "127.0.0.1:$PORT" "$@" >"$T/run.out" 2>&1
	rc=$?
	[ "$rc$(cat "$T/run.out")" = 0 ] || echo "# smtp-deliver: exit $rc $(cat "$T/run.out")"
}
# later SECONDS [OPTIONS]: a run then
later() {
	LD_PRELOAD=$BUILD/faults/clockshift CLOCKSHIFT=$1 deliver --now --no-sandbox
}
# notices: the files of those that came, in the order of their coming
notices() {
	grep -l '^X-Envelope-From: <>' "$T"/trap/new/* 2>/dev/null
}
# facts: what is in all of them
facts() {
	# shellcheck disable=SC2046 # names without blanks
	python3 "$TOP/tests/notices.py" $(notices)
}
count() { notices | wc -l; }
fact() { facts | sed -n "s/^$1 //p"; }
told() { fact rcpt | sed 's/^rfc822; //; s/|[^|]*| \([a-z]*\) .*/\1/'; }
places() {
	find "$T/q" -type f ! -path '*/log/*' ! -path '*/state/*' | sed "s|^$T/q/||; s|/.*||" | sort | uniq -c | awk '{ print $2, $1 }'
}
trap_start

# --- one that has failed

configure
fresh
letter -V 'QQ 1' -N failure reject-550@x.example ok@x.example 'multiline-554-5.7.1@x.example'
id=$(ls "$T/q/new" | cut -d . -f 2 | cut -d , -f 1)
deliver
is "$(facts)" "for <s@d.example>
from MAILER-DAEMON@d.example to s@d.example
subject Not delivered: lunch
auto auto-replied
report multipart/report delivery-status
parts text/plain message/delivery-status message/rfc822
reporting-mta dns; h.example
original-envelope-id QQ 1
x-relaykit-message $id
rcpt rfc822; reject-550@x.example | rfc822; reject-550@x.example | failed | 5.1.1 | dns; [127.0.0.1] | smtp; 550 5.1.1 as the recipient wishes
rcpt rfc822; multiline-554-5.7.1@x.example | rfc822; multiline-554-5.7.1@x.example | failed | 5.7.1 | dns; [127.0.0.1] | smtp; 554 5.7.1 $(
	sed -n 's/.*"type":"bounced".*multiline.*"content":"\([^"]*\)".*/\1/p' "$T"/q/log/* | sed 's/\\n/ /g')
original lunch | body
defects" 'one notice for both who have failed'
is "$(places)" 'failed 1' 'the message is in failed'
notice=$(sed -n 's/.*"type":"notified".*"notice":"\([^"]*\)".*/\1/p' "$T"/q/log/*)
like "$(cat "$(notices)")" "^Message-ID: <$notice@h.example>" 'the log knows its id'
like "$(grep '"type":"notified"' "$T"/q/log/*)" "\"id\":\"$id\",\"sender\":\"s@d.example\",\"recipient\":\"s@d.example\".*\"content\":\"failed 2\"" \
    'and whom it is about'
deliver --now
is "$(count)" 1 'once'

fresh
letter -R hdrs reject-550@x.example
deliver
is "$(fact parts) $(fact original)" 'text/plain message/delivery-status text/rfc822-headers lunch | headers' 'RET=HDRS'
fresh
{ printf 'Subject: lunch\nFrom: a@d.example\nTo: list:;\n\n'; yes 'all you can eat' | head -c 60000; } |
    smtp-submit -odq -R full -f s@d.example reject-550@x.example
deliver
is "$(fact original)" 'lunch | headers' 'too large to go back'
fresh
printf 'Subject: lunch\nFrom: a@d.example\nTo: list:;\n\n\303\244\n' | smtp-submit -odq -f s@d.example reject-550@x.example
printf 'Subject: lunch\nFrom: a@d.example\nTo: list:;\n\n\303\244\n' | smtp-submit -odq -R full -f s@d.example reject-550@x.example
deliver
is "$(fact original | sort)" 'lunch | body
lunch | headers' '8-bit goes back where it was asked for'
configure 'notices { return = headers  from = "post@d.example" }'
fresh
letter reject-550@x.example
deliver
is "$(fact original) $(fact from)" 'lunch | headers post@d.example to s@d.example' 'configured'
configure

# --- NOTIFY

fresh
letter -N never reject-550@x.example
letter -N delay reject-550+1@x.example
letter -N success reject-550+2@x.example
letter -N success,failure reject-550+3@x.example ok@x.example
letter reject-550+4@x.example
deliver
is "$(told | sort)" 'reject-550+3@x.example failed
reject-550+4@x.example failed' 'those who asked for it, and those who said nothing'
is "$(places)" 'failed 5' 'all of them have failed'

# --- SUCCESS, where the next hop does not know DSN

knows=$PORT
trap_start --no-dsn
fresh
letter -N success ok@x.example
letter ok2@x.example
letter -N failure,delay ok3@x.example
letter -N success,failure ok4@x.example reject-550@x.example
deliver
is "$(told | sort)" 'ok4@x.example relayed
ok@x.example relayed
reject-550@x.example failed' 'relayed, for those who asked'
is "$(fact original | sort)" 'lunch | body
lunch | headers' 'no more than headers goes back without a failure'
is "$(places)" 'failed 1' 'what was delivered is gone'
PORT=$knows

# --- late

fresh
letter defer-451@x.example ok@x.example
letter -N failure defer-451+1@x.example
letter -N never defer-451+2@x.example
later $((4 * 3600 - 60))
is "$(count)" 0 'not before four hours'
later $((4 * 3600 + 60))
is "$(told)" 'defer-451@x.example delayed' 'then, for those who want to know'
is "$(fact subject) $(fact rcpt | cut -d '|' -f 7) $(fact original)" 'Delayed: lunch  until lunch | headers' 'until when'
later $((5 * 3600))
later $((9 * 3600))
is "$(count)" 1 'once'
is "$(places)" 'cur 3' 'they wait'
# A clock that has gone on is believed by and by (clock.h); here nobody waits for it.
later $((30 * 3600))
rm -f "$T/q/state/clock"
later $((121 * 3600))
is "$(told | sort)" 'defer-451+1@x.example failed
defer-451@x.example delayed
defer-451@x.example failed' 'and of the end'
is "$(fact rcpt | grep failed | cut -d '|' -f 4 | sort -u)" ' 4.4.7 ' 'whose time is over'
configure 'notices { delay = 0 }'
fresh
letter defer-451@x.example
later $((6 * 3600))
is "$(count)" 0 'never, if that is configured'
configure

# --- nobody

fresh
letter -f '<>' reject-550@x.example
deliver
is "$(count) $(places)" '0 failed 1' 'nobody is told of what nobody sent'
fresh
printf 'Subject: x\nFrom: a@d.example\nX-Relaykit-Notice:\n\tmailer-daemon@d.example\n\nhi\n' |
    smtp-submit -odq -f s@d.example reject-550@x.example
deliver
is "$(count) $(places)" '0 failed 1' 'nor of a notice that comes round'
fresh
letter -f reject-550@d.example reject-550@x.example
deliver
is "$(count) $(places)" '0 failed 2' 'nor of a notice that has failed'
configure 'notices { postmaster = "pm@d.example" }'
fresh
letter -f reject-550@d.example reject-550@x.example
letter -f '<>' defer-451@x.example
deliver
is "$(fact for) $(told)" '<pm@d.example> reject-550@d.example failed' 'but the postmaster'
later 18000
is "$(count)" 1 'to whom being late is nothing'
configure 'notices { postmaster = "reject-550@d.example" }'
fresh
letter -f '<>' reject-550@x.example
deliver
is "$(count) $(places)" '0 failed 2' 'and who is not told that he cannot be told'

# --- by stream

configure 'stream "quiet" { bounce = none }' 'stream "desk" { bounce = "desk@d.example" }' \
    'stream "loud" { bounce = sender }' 'notices { bounce = "all@d.example" }'
fresh
for s in quiet desk loud other; do letter -O stream=$s reject-550@x.example; done
deliver
is "$(fact for | sort)" '<all@d.example>
<desk@d.example>
<s@d.example>' 'as its stream says, or else as all'
is "$(places)" 'failed 4' 'all have failed'

# --- words of one's own

configure "notices { text = \"$T/words\" }"
cat >"$T/words" <<'W'
[failed]
Subject: nix da: {subject}

{recipients}
[delayed]
Subject: x

{recipients}
[delivered]
Subject: x

{recipients}
[digest]
Subject: x

{recipients}
[end]
Gr{{}ße von {host}
W
fresh
letter reject-550@x.example
deliver
is "$(fact subject) $(fact defects)" 'nix da: lunch ' 'a text of our own'
like "$(cat "$(notices)")" '^Gr\{\}=C3=9Fe von h\.example' 'in UTF-8'
echo '{oops}' >>"$T/words"
fails 'one with a mistake' 78 "smtp-deliver: $T/words:19: \"{oops\" is no placeholder ({{ is a brace)" smtp-deliver
fails 'is told by a dry run, too' 78 "smtp-deliver: $T/words:19: \"{oops\" is no placeholder ({{ is a brace)" \
    smtp-deliver --dry-run=route
rm "$T/words"
fails 'one that is not there' 78 "smtp-deliver: $T/words: no such file" smtp-deliver

# --- addresses that are not ASCII

configure
fresh
letter 'reject-550+bü@x.example'
deliver
is "$(fact report) $(fact rcpt | cut -d '|' -f 1,3)" \
    'multipart/report delivery-status utf-8; reject-550\x{2B}b\x{FC}@x.example | failed ' 'told to who has ASCII alone'
fresh
printf 'Subject: grüße\nFrom: a@d.example\n\nhi\n' | smtp-submit -odq -f s@d.example 'reject-550+bü@x.example'
deliver
is "$(fact parts) $(fact original)" 'text/plain message/delivery-status message/global-headers grüße | headers' 'and with UTF-8 headers'
is "$(grep -c SMTPUTF8 "$(notices)")" 0 'in a message for everybody'
fresh
letter -f 'å@d.example' 'reject-550+bü@x.example'
deliver
is "$(fact report) $(fact parts)" 'multipart/report global-delivery-status text/plain message/global-delivery-status message/rfc822' \
    'told to who has not'
is "$(fact rcpt | cut -d '|' -f 1,3)$(fact defects)" 'utf-8; reject-550+bü@x.example | failed ' 'as it is'
like "$(grep '^X-Trap-Mail' "$(notices)")" 'SMTPUTF8' 'by SMTPUTF8'

# --- REQUIRETLS

fresh
letter -O requiretls=yes -R full ok@x.example
deliver
is "$(fact rcpt | cut -d '|' -f 3,4) $(fact original)" ' failed | 5.7.30  lunch | headers' \
    'what must not leave in clear comes back without its text'

# --- too many for an hour

configure 'notices { hourly = 2 }'
fresh
tenth=$((3600 - $(date +%s) % 3600 + 600)) # ten minutes past: the hour does not end meanwhile
for i in 1 2 3 4 5; do letter -V "v$i" reject-550+$i@x.example ok@x.example; done
letter -f other@d.example reject-550@x.example
later $tenth
is "$(fact for | sort)" '<other@d.example>
<s@d.example>
<s@d.example>' 'as many as may be'
is "$(places)" 'failed 6' 'all have failed'
is "$(grep -c '"type":"notified".*"content":"failed 1, in a digest"' "$T"/q/log/*)" 3 'the log tells what is told later'
later $((tenth + 2400))
is "$(count)" 3 'not before the hour is over'
find "$T/q/state/notices" -type f | while read -r f; do printf '{"do":"keep","torn' >>"$f"; done
rm -f "$T"/trap/new/*
later $((tenth + 3600))
is "$(fact for)|$(fact subject)|$(fact parts)|$(fact defects)" \
    '<s@d.example>|3 more reports|text/plain message/delivery-status|' 'then what there was more, in a digest'
is "$(told | sed 's/+[0-9]//')" 'reject-550@x.example failed
reject-550@x.example failed
reject-550@x.example failed' 'every one of them'
is "$(told | sort -u | wc -l)" 3 'and no other'
is "$(find "$T/q/state/notices" -type f | wc -l)" 0 'nothing is left of it'
later $((tenth + 7200))
is "$(count)" 1 'once'
configure

# --- signatures: the rest waits for a key, a notice does not

if command -v openssl >/dev/null; then
	openssl genpkey -algorithm ed25519 -out "$T/e.pem" 2>/dev/null
	chmod 600 "$T/e.pem"
	configure "dkim \"d.example/e\" { key = \"$T/e.pem\" }"
	fresh
	letter reject-550@x.example
	deliver
	is "$(grep -c '^DKIM-Signature: .*d=d.example' "$(notices)")" 1 'a notice is signed'
	configure "dkim \"other.example/e\" { key = \"$T/e.pem\" }" 'dkim_unsigned = "mail.example"'
	fresh
	printf 'Subject: lunch\nFrom: a@mail.example\n\nhi\n' | smtp-submit -odq -f s@d.example reject-550@x.example
	printf 'Subject: lunch\nFrom: a@d.example\n\nhi\n' | smtp-submit -odq -f s@d.example ok@x.example
	deliver
	is "$(count) $(places)" '1 cur 1
failed 1' 'or else goes as it is, and other mail waits'
fi
done_testing
