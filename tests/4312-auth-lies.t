#!/bin/sh
# smtp-deliver's login at a server written from the RFCs in Python, and at servers that lie: none gets the
# message, more than the mechanism tells it, or more of our time than it is worth.
. "$(dirname "$0")/lib.sh"
need python3
cd "$T" || exit 1
printf 'pencil\n' >secret
chmod 600 secret

# deliver MODE [KEYS]: one message to that server; DONE is the last event, LOG what it heard
deliver() {
	rm -rf q port log
	: >log
	bg python3 "$TOP/tests/faults/authpeer.py" port "$1" log
	until_true 10 test -s port || { echo 'Bail out! no peer'; exit 1; }
	printf 'hostname = "c.example"\ntimeout_helo = 2s\nroute "*" { relay = "127.0.0.1:%s" user = "ann" %s }\n' \
	    "$(cat port)" "${2-password_file = \"secret\"}" >conf
	printf 'Subject: x\n\nhello\n' | smtp-submit -C conf --queue q -odq -f a@c.example b@d.example
	timeout 30 smtp-deliver -C conf --queue q >out 2>err
	DONE=$(cat q/log/events-*.jsonl | tail -1)
	kill $!
	wait $! 2>/dev/null
}
clear='password_file = "secret" auth_clear = yes'

deliver scram
like "$DONE" '"type":"delivered"' 'SCRAM-SHA-256 as RFC 7677 has it'
is "$(grep -c '^MAIL' log)" 1 'the message came behind it'
is "$(grep -c '!' log)" 0 'and the server found nothing wrong'
deliver xoauth2 "$clear auth = \"XOAUTH2\""
like "$DONE" '"type":"delivered"' 'XOAUTH2 as Google has it'
printf 'old\n' >old
chmod 600 old
deliver xoauth2 'password_file = "old" auth_clear = yes auth = "XOAUTH2"'
like "$DONE" '"type":"deferred".*"code":535,"enhanced_code":"4.7.8".*login as ann by XOAUTH2: 535 5.7.8 Username and Password not accepted.*schemes' \
    'refused, with both of its reasons'
is "$(tail -1 log)" '' 'after an empty line for the challenge'
deliver login "$clear"
like "$DONE" '"type":"delivered"' 'LOGIN with the prompts of the draft'
deliver words "$clear"
like "$DONE" '"type":"delivered"' 'LOGIN with prompts that are no base64'
deliver listed "$clear"
like "$DONE" '"type":"delivered"' 'AUTH= is AUTH'
head -c 3000 /dev/zero | tr '\0' t >token
chmod 600 token
deliver longtoken 'password_file = "token" auth_clear = yes auth = "OAUTHBEARER"'
like "$DONE" '"type":"delivered"' 'a token of 3,000 bytes'
is "$(sed -n 2p log)" 'AUTH OAUTHBEARER' 'goes in a line of its own, RFC 4954 4'

deliver login
like "$DONE" '"type":"deferred".*"enhanced_code":"4.7.9".*AUTH: only LOGIN is offered, which shows the password, and there is no TLS' \
    'LOGIN in clear text is not said'
is "$(grep -c AUTH log)" 0 'not even begun'
for case in \
    'noproof|the server has not proved that it knows the password' \
    'badproof|SCRAM-SHA-256: ' \
    'fewrounds|an iteration count outside of 4096 to 1000000' \
    'manyrounds|an iteration count outside of 4096 to 1000000' \
    'nonce|SCRAM-SHA-256: ' \
    'endless|SCRAM' \
    'garbage|not base64' \
    'early|the server has not proved that it knows the password' \
    'silent|AUTH: timed out'; do
	deliver "${case%%|*}"
	like "$DONE" "\"type\":\"deferred\".*login as ann[^\"]*: .*${case#*|}" "${case%%|*}: deferred, and why"
	is "$(grep -c '^MAIL' log)" 0 "${case%%|*}: the message is not given to it"
	is "$(grep -c "$(printf pencil | base64)\|pencil" log)" 0 "${case%%|*}: nor the password"
done
done_testing
