#!/bin/sh
# Postfix and Exim as clients of smtp-serve: all their mail goes through us, over STARTTLS and with a login.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
. "$(dirname "$0")/serve.sh"
need openssl python3

POSTFIX_PID= EXIM_PID=
trap 'postfix_stop; exim_stop; cleanup' EXIT
chmod 755 "$T"
certificate mail.example
printf 'pencil\n' | smtp-passwd --users "$T/users" add --keys scram-sha-256,cram-md5 --from @sender.example \
    --iterations 4096 ann
serve_conf "serve { users = \"$T/users\" }
certificate \"1\" { cert = \"$T/mail.example.pem\" key = \"$T/mail.example.key\" }
listen \"plain\" { need_tls = yes }"

# inject PORT N: N messages, with dots, 8-bit content and UTF-8, into a server that relays
inject() {
	python3 - "$@" <<'PY'
import smtplib, sys
s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), timeout=60)
s.ehlo()
for i in range(int(sys.argv[2])):
    s.sendmail("a%d@sender.example" % i, ["b@rcpt.example", "c@rcpt.example"],
               ("Subject: %d\r\nMessage-ID: <%d@sender.example>\r\n\r\n.\r\n..dot\r\nD\xe9j\xe0 vu\r\n" % (i, i)).encode(),
               ["BODY=8BITMIME"])
s.quit()
PY
}
# arrived WHAT N: so many messages are in our queue, each once, as they were
arrived() {
	ok "$1: all come through us" until_true 60 sh -c '[ "$(ls "$0/q/new" | wc -l)" -ge "$1" ]' "$T" "$2"
	is "$(queued)" "$2" "$1: each once"
	is "$(cat "$T"/q/new/* | grep -a '^Subject: ' | sort -u | wc -l)" "$2" "$1: whoever it is"
	is "$(cat "$T"/q/new/* | grep -ac '^rcpt=')" $(($2 * 2)) "$1: with their recipients"
	is "$(cat "$T"/q/new/* | tr -d '\r' | grep -axc 'Déjà vu')" "$2" "$1: 8-bit content"
	is "$(cat "$T"/q/new/* | tr -d '\r' | grep -axc -e '\.' -e '\.\.dot')" $(($2 * 2)) "$1: dots"
	is "$(cat "$T"/q/new/* | tr -d '\r' | grep -ac 'with [A-Z0-9]*SMTPSA$')" "$2" "$1: by TLS, with a login"
	empty_queue
}
said() {
	cat "$T"/q/log/events-*.jsonl | grep -c "\"type\":\"login\".*\"user\":\"ann\".*\"code\":$1"
}

if postfix_here; then
	serve_start
	# What needs no password in clear first, as Cyrus SASL chooses; then PLAIN; with and without BDAT.
	for mechs in 'cram-md5' 'plain, login'; do
		d=$T/postfix-${mechs%,*}
		postfix_start "$d" "relayhost = [127.0.0.1]:$PORT" 'smtp_sasl_auth_enable = yes' \
		    "smtp_sasl_password_maps = inline:{{[127.0.0.1]:$PORT = ann:pencil}}" \
		    'smtp_sasl_security_options = noanonymous' "smtp_sasl_mechanism_filter = $mechs" \
		    'smtp_tls_security_level = encrypt' 'default_destination_concurrency_limit = 5' \
		    'smtp_connection_cache_on_demand = yes' || exit 1
		ok "Postfix, $mechs: takes mail" inject "$POSTFIX_PORT" 20
		until_true 60 sh -c '[ "$(ls "$0/q/new" | wc -l)" -ge 20 ] || grep -q "no mechanism available" "$1/log"' "$T" "$d"
		if grep -q 'no mechanism available' "$d/log"; then
			result 0 "Postfix, $mechs # SKIP Cyrus SASL lacks the mechanism: libsasl2-modules"
			postfix_stop
			continue
		fi
		arrived "Postfix, $mechs" 20
		postfix_stop
	done
	ok 'logins are events' test "$(said 235)" -gt 1

	# A wrong password: nothing comes, nothing is lost.
	failed=$(said 535)
	postfix_start "$T/wrong" "relayhost = [127.0.0.1]:$PORT" 'smtp_sasl_auth_enable = yes' \
	    "smtp_sasl_password_maps = inline:{{[127.0.0.1]:$PORT = ann:wrong}}" \
	    'smtp_sasl_security_options = noanonymous' 'smtp_tls_security_level = encrypt' || exit 1
	inject "$POSTFIX_PORT" 1
	ok 'Postfix, a wrong password: it keeps the message' until_true 40 grep -q 'status=deferred.*535 5.7.8' "$T/wrong/log"
	ok '... and is an event' test "$(said 535)" -gt "$failed"
	is "$(queued)" 0 '... and nothing came'
	postfix_stop
	serve_stop
else
	result 0 "Postfix # SKIP $REASON"
fi

if exim_here; then
	serve_start --as plain
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=peer.example \
	    -keyout "$T/key.pem" -out "$T/cert.pem" 2>/dev/null
	EXIM_RELAY=$PORT
	for m in CRAM-MD5 PLAIN LOGIN; do
		case $m in
		CRAM-MD5) how='driver = cram_md5
  client_name = ann
  client_secret = pencil' ;;
		PLAIN) how='driver = plaintext
  client_send = ^ann^pencil' ;;
		LOGIN) how='driver = plaintext
  client_send = : ann : pencil' ;;
		esac
		EXIM_AUTH="begin authenticators
client:
  public_name = $m
  $how"
		exim_start "$T/exim-$m" "$T/cert.pem" "$T/key.pem" || exit 1
		ok "Exim, $m: takes mail" inject "$EXIM_PORT" 5
		ok "Exim, $m: sends" exim_flush
		arrived "Exim, $m" 5
		exim_stop
	done
	is "$(cat "$T"/exim-*/log/main | grep -c 'A=client K ')" 30 'Exim logged in and sent by CHUNKING'
	serve_stop
else
	result 0 "Exim # SKIP $REASON"
fi
done_testing
