#!/bin/sh
# What senders are told, and when; read by Python's email package.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/notices.sh"

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
is "$(fact rcpt | grep failed | cut -d '|' -f 4,6 | sort -u)" ' 4.4.7 | smtp; 451 4.3.0 as the recipient wishes' 'whose time is over'
configure 'notices { delay = 0 }'
fresh
letter defer-451@x.example
later $((6 * 3600))
is "$(count)" 0 'never, if that is configured'
configure

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
done_testing
