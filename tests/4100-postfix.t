#!/bin/sh
# A real Postfix as receiving server: STARTTLS, CHUNKING and DATA, refusals, 8-bit and UTF-8.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
postfix_here || skip_all "$REASON"
need openssl perl

POSTFIX_PID=
trap 'postfix_stop; cleanup' EXIT
chmod 755 "$T"
certificate "$T"
uid=$(id -u "$POSTFIX_USER")
gid=$(getent group "$POSTFIX_GROUP" | cut -d: -f3)
export RELAYKIT_QUEUE="$T/queue" RELAYKIT_CONFIG="$T/conf"

# start DIR [main.cf line...]: it delivers what it accepts into DIR/mail/new
start() {
	d=$1
	shift
	install -d -o "$POSTFIX_USER" "$d" "$d/mail"
	postfix_start "$d" 'smtpd_tls_security_level = may' "smtpd_tls_cert_file = $T/cert.pem" \
	    "smtpd_tls_key_file = $T/key.pem" 'smtpd_tls_received_header = yes' \
	    'virtual_mailbox_domains = rcpt.example' "virtual_mailbox_base = $d" \
	    'virtual_mailbox_maps = static:mail/' "virtual_uid_maps = static:$uid" \
	    "virtual_gid_maps = static:$gid" 'virtual_minimum_uid = 1' 'virtual_mailbox_limit = 0' \
	    'smtpd_recipient_restrictions = check_recipient_access inline:{
	     {no@rcpt.example = 550 5.1.1 no such person} {later@rcpt.example = 450 4.2.0 come back}
	     }, reject_unauth_destination' "$@" || exit 1
	printf 'hostname = "relay.example"\nroute "*" { relay = "127.0.0.1:%s" }\n' "$POSTFIX_PORT" >"$T/conf"
}
# got N: that many messages have arrived
got() {
	[ "$(find "$d/mail/new" -type f 2>/dev/null | wc -l)" -ge "$1" ]
}
# body: of the newest message, behind what Postfix put before it
body() {
	cat "$(find "$d/mail/new" -type f -newer "$T/mark" | head -1)" | sed '1,/^$/d'
}
# event TYPE RCPT: the response in the log's line
event() {
	grep -h "\"type\":\"$1\"" "$RELAYKIT_QUEUE"/log/events-*.jsonl | grep -F "\"$2\"" | tail -1
}
send() {
	touch "$T/mark"
	smtp-submit -odq -i -f a@sender.example "$@" && smtp-deliver
}

start "$T/one"
printf 'Subject: dots\n\n.\n..\n.leading\nlast line without an end' >"$T/dots"
ok 'a message with dots' send b@rcpt.example <"$T/dots"
ok 'arrives' until_true 40 got 1
is "$(body)" "$(printf '.\n..\n.leading\nlast line without an end')" 'as it was'
like "$(cat "$d"/mail/new/*)" 'using TLSv1\.3 with cipher' 'over TLS'
like "$(event delivered b@rcpt.example)" '"tls":"TLS1\.3' 'and the event says so'
like "$(event delivered b@rcpt.example)" '"code":250.*queued as' "with the server's words"

ok 'one of three is refused, one put off' send b@rcpt.example no@rcpt.example later@rcpt.example <"$T/dots"
ok 'the third arrives' until_true 40 got 2
like "$(event bounced no@rcpt.example)" '"code":550.*5\.1\.1' 'the refusal is told'
like "$(event deferred later@rcpt.example)" '"code":450.*4\.2\.0' 'so is the deferral'
is "$(smtp-queue list --brief | wc -l)" 1 'one entry waits'

head -c 3000000 /dev/urandom | base64 >"$T/random"
{ printf 'Subject: big\n\n'; cat "$T/random"; } >"$T/big"
ok '4 MB' send b@rcpt.example <"$T/big"
ok 'arrive' until_true 40 got 3
body >"$T/body"
ok 'byte for byte' cmp "$T/body" "$T/random"

printf 'Subject: Grüße\nFrom: jörg@sender.example\n\nDéjà vu\n' >"$T/utf8"
touch "$T/mark"
ok 'UTF-8 headers' send -O smtputf8=yes b@rcpt.example <"$T/utf8"
ok 'arrive' until_true 40 got 4
like "$(cat "$(find "$d/mail/new" -type f -newer "$T/mark" | head -1)")" 'with (UTF8SMTPS|ESMTPS)' 'in a transaction'
is "$(body)" 'Déjà vu' 'with an 8-bit body'
postfix_stop

start "$T/two" 'smtpd_discard_ehlo_keywords = chunking, pipelining' 'smtpd_tls_security_level = none'
ok 'DATA, one command at a time, in clear' send b@rcpt.example <"$T/dots"
ok 'arrives' until_true 40 got 1
is "$(body)" "$(printf '.\n..\n.leading\nlast line without an end')" 'with dots stuffed and unstuffed'
ok '4 MB by DATA' send b@rcpt.example <"$T/big"
ok 'arrive' until_true 40 got 2
body >"$T/body"
ok 'byte for byte' cmp "$T/body" "$T/random"
ok 'many at once' sh -c '
	for i in $(seq 100); do
		printf "MAIL FROM:<a@sender.example>\nRCPT TO:<b@rcpt.example>\nDATA\nSubject: $i\n\n$i\n.\n"
	done | smtp-submit -bS -odq >/dev/null && smtp-deliver'
ok 'all arrive' until_true 40 got 102
is "$(sed -n 's/^Subject: \([0-9]*\)$/\1/p' "$d"/mail/new/* | sort -n | uniq | wc -l)" 100 'each once'
postfix_stop

start "$T/three" 'message_size_limit = 20000' 'mailbox_size_limit = 0'
ok 'too big for the announced SIZE' send b@rcpt.example <"$T/big"
like "$(event bounced b@rcpt.example)" '5\.3\.4' 'is a permanent failure'
ok 'and the server was not sent 4 MB' sh -c "! grep -q 'message size' '$d/log' || ! grep -q BDAT '$d/log'"
done_testing
