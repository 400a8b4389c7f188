#!/bin/sh
# smtp-serve as a process: pipes, sockets, deadlines, TLS, front ends, restarts.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/serve.sh"
need python3 openssl

# --- wrong ways to start it
fails 'an unknown listen section' 78 'smtp-serve: --as x: there is no such listen section' \
    smtp-serve --queue "$T/q" --as x
fails 'a name to listen at' 64 'smtp-serve: --listen localhost:25: an address is needed, not a name' \
    smtp-serve --queue "$T/q" --listen localhost:25
serve_conf 'listen "tls" { tls = implicit }'
fails 'TLS without a certificate' 78 'smtp-serve: TLS needs a certificate section' \
    smtp-serve -C "$T/serve.conf" --queue "$T/q" --as tls
serve_conf 'certificate "x" { cert = "/nonexistent/c" key = "/nonexistent/k" }'
fails 'a certificate that is not there' 78 \
    'smtp-serve: certificate /nonexistent/c, key: /nonexistent/k: Error while reading file' \
    smtp-serve -C "$T/serve.conf" --queue "$T/q"
serve_conf 'certificate "x" { cert = "/c" }'
fails 'half a certificate section' 78 "smtp-serve: $T/serve.conf:3: certificate \"x\": cert and key are needed" \
    smtp-serve -C "$T/serve.conf" --queue "$T/q"
serve_conf 'serve { networks = "192.0.2.1/24" }'
fails 'a network with bits behind its prefix' 78 \
    "smtp-serve: $T/serve.conf:3: networks: \"192.0.2.1/24\" is not a list of networks" \
    smtp-serve -C "$T/serve.conf" --queue "$T/q"
fails 'every program knows the sections' 78 \
    "smtp-submit: $T/serve.conf:3: networks: \"192.0.2.1/24\" is not a list of networks" \
    smtp-submit -C "$T/serve.conf" a@x.example

# --- a local program at two pipes
serve_conf ''
like "$(say 'EHLO me' 'MAIL FROM:<a@x.example> BODY=8BITMIME RET=HDRS ENVID=e HOLDFOR=60 BY=3600;RT MT-PRIORITY=3' \
    'RCPT TO:<b@y.example> NOTIFY=DELAY ORCPT=rfc822;c@z.example' DATA 'Subject: s' '' hello . QUIT)" \
    '^250 2.0.0 Ok: queued as [0-9a-z]{16}$' 'a message by pipes'
is "$(queued)" 1 'is in the queue'
f=$(ls "$T"/q/new/*)
is "$(grep -a '^sender=' "$f")" 'sender=<a@x.example> RET=HDRS ENVID=e' 'its sender, with DSN parameters'
is "$(grep -a '^rcpt=' "$f")" 'rcpt=<b@y.example> NOTIFY=DELAY ORCPT=rfc822;c@z.example' 'its recipient'
like "$(grep -a '^by=' "$f")" '^by=[0-9]{10};RT$' 'DELIVERBY'
is "$(grep -a '^priority=' "$f")" 'priority=3' 'MT-PRIORITY'
like "$(grep -a '^holduntil=' "$f")" '^holduntil=[0-9]{10}$' 'FUTURERELEASE'
serve_conf 'serve { hold = 1h }'
like "$(say 'EHLO me' QUIT)" '^250-FUTURERELEASE 3600 ' 'serve hold: offered for so long'
for s in 3600 3601; do
	say 'EHLO me' "MAIL FROM:<a@x.example> HOLDFOR=$s" QUIT | sed -n '$!{ s/^\(5.. [0-9.]*\|250 2.1.0\).*/\1/p; }'
done >"$T/.got"
is "$(cat "$T/.got")" '250 2.1.0
501 5.5.4' 'serve hold: and no longer'
serve_conf 'serve { hold = 0 }'
is "$(say 'EHLO me' QUIT | grep -c FUTURERELEASE)" 0 'serve hold: or not at all'
serve_conf ''
is "$(sed -n '/^Received:/,/;/p' "$f" | tr -d '\r' | tr -s '\t\n' ' ' | sed 's/id [0-9a-z]*/id ID/')" \
    'Received: from me by h.example (relaykit) with ESMTP id ID for <b@y.example>; ' 'Received'
empty_queue
say 'EHLO me' 'MAIL FROM:<a@x.example>' 'RCPT TO:<b@y.example>' DATA 'half' >/dev/null
is "$(queued)" 0 'a client that leaves in DATA has sent nothing'
say 'EHLO me' 'MAIL FROM:<a@x.example>' 'RCPT TO:<b@y.example>' 'BDAT 100' 'half' >/dev/null
is "$(queued)" 0 'nor one that leaves in BDAT'
say 'EHLO me' 'MAIL FROM:<a@x.example>' 'RCPT TO:<b@y.example>' 'BDAT 6' 'half' >/dev/null
is "$(queued)" 0 'nor one that leaves between two chunks'
# A byte at a time is not to cost the more the more of them have come.
sanitized || is "$(python3 -c 'print("EHLO me\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\n" +
    1000000 * "BDAT 1\r\nx" + "BDAT 0 LAST\r\nQUIT\r", end="\n")' |
    (ulimit -t 2; smtp-serve -C "$T/serve.conf" --queue "$T/q" 2>"$T/err") | tail -1 | tr -d '\r')" '221 2.0.0 Bye' \
    'a header of one line in a million chunks, in a second or two'
empty_queue

# --- the rest by a scripted client
certificate one.example && certificate two.example
scripted() { # scripted COMMAND_TIME SESSION_TIME
	serve_conf "serve { networks = \"127.0.0.0/8\" command_time = $1 session_time = $2 clients = 3 greet_delay = 100ms
	front_ends = \"127.0.0.1\" }
certificate \"1\" { cert = \"$T/one.example.pem\" key = \"$T/one.example.key\" }
certificate \"2\" { cert = \"$T/two.example.pem\" key = \"$T/two.example.key\" }
listen \"tls\" { tls = implicit }
listen \"strict\" { need_tls = yes }
listen \"proxy\" { proxy = yes }
listen \"xclient\" { xclient = yes }"
}
for part in plain command session stays tls strict proxy xclient fds renew; do
	case $part in
	command) scripted 1s 200s ;;
	session) scripted 100s 3s ;;
	*) scripted 100s 200s ;;
	esac
	case $part in
	plain | command | session | stays | renew) serve_start ;;
	fds) ;;
	*) serve_start --as $part ;;
	esac
	python3 "$TOP/tests/serve.py" "$part" "${PORT:-0}" "$T" >"$T/part" 2>&1
	rc=$?
	while IFS= read -r line; do
		case $line in
		'ok '*) result 0 "$part: ${line#ok }" ;;
		'not ok '*) result 1 "$part: ${line#not ok }" ;;
		*) echo "# $line" ;;
		esac
	done <"$T/part"
	is $rc 0 "$part: the client came to its end"
	[ $part = fds ] || ok "$part: ends by a signal" serve_stop
	like "$(grep -v -e 'listening at' -e 'PROXY: a bad header from 127.0.0.1' -e 'old certificates are kept' "$T/serve.err")" '^$' \
	    "$part: nothing on standard error"
done

# Whoever starts us may have his signals ignored: clients that end are counted all the same.
if env --ignore-signal=CHLD true 2>/dev/null; then
	mkdir "$T/bin"
	printf '#!/bin/sh\nexec env --ignore-signal=CHLD,INT,TERM "%s/bin/smtp-serve" "$@"\n' "$BUILD" >"$T/bin/smtp-serve"
	chmod +x "$T/bin/smtp-serve"
	PATH=$T/bin:$PATH
	serve_conf 'serve { clients = 3 }'
	serve_start
	is "$(python3 -c '
import smtplib, sys
for _ in range(5):
    with smtplib.SMTP("127.0.0.1", int(sys.argv[1]), timeout=60) as s:
        print(s.noop()[0], end=" ")' "$PORT")" '250 250 250 250 250 ' 'five clients, one behind the other, where three may be in'
	ok 'and a signal ends us' serve_stop
fi
done_testing
