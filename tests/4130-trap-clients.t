#!/bin/sh
# Other people's clients and smtp-trap: Postfix's smtp-source, swaks, curl.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"

log=$T/log
start() {
	rm -f "$log"
	trap_run --log "$log" "$@"
}
source_() {
	LD_LIBRARY_PATH=$(cat "$PEERS/postfix/libpath") "$PEERS/postfix/usr/sbin/smtp-source" "$@" "127.0.0.1:$PORT"
}
accepted() {
	grep -c '"outcome":"accepted"' "$log"
}

done_any=
if [ -f "$PEERS/postfix/libpath" ]; then
	done_any=1
	start --discard
	ok 'smtp-source: 2000 messages, 20 at a time' source_ -s 20 -m 2000 -l 4096 -f a@example.org -t b@example.com
	ok '... one connection' source_ -d -m 500 -l 100 -f a@example.org -t b@example.com
	ok '... three recipients' source_ -r 3 -m 10 -f a@example.org -t b@example.com
	ok '... a large one' source_ -m 1 -l 20000000 -f a@example.org -t b@example.com
	ok 'all are there' until_true 40 test "$(accepted)" -eq 2511
	is "$(grep -c '"rcpts":\[{[^}]*},{[^}]*},{[^}]*}\]' "$log")" 10 '... with their recipients'
	trap_ends 'ends'
fi
if command -v swaks >/dev/null; then
	done_any=1
	start --discard
	ok 'swaks' swaks --server 127.0.0.1 --port "$PORT" --from a@example.org --to b@example.com --silent 3
	ok 'swaks in groups' swaks --pipeline --server 127.0.0.1 --port "$PORT" --from a@example.org \
	    --to b@example.com,c@example.com --silent 3
	swaks --server 127.0.0.1 --port "$PORT" --from a@example.org --to reject-550@example.com --silent 3 \
	    >/dev/null 2>&1
	is $? 24 'swaks: no recipient was taken'
	swaks --server 127.0.0.1 --port "$PORT" --from a@example.org --to data-defer-451@example.com \
	    --silent 3 >/dev/null 2>&1
	is $? 26 'swaks: the content was not'
	is "$(accepted)" 2 'both are there'
	trap_ends 'ends'
fi
if curl --version 2>/dev/null | grep -q 'Protocols:.* smtp'; then
	done_any=1
	start --discard --tls
	printf 'Subject: x\r\n\r\n.\r\n..\r\nbody\r\n' >"$T/mail"
	ok 'curl with STARTTLS' curl -sS --ssl-reqd -k --url "smtp://127.0.0.1:$PORT/client.example" \
	    --mail-from a@example.org --mail-rcpt b@example.com -T "$T/mail"
	like "$(grep '"type":"transaction"' "$log")" '"tls":"TLS1.*"size":27,.*"outcome":"accepted"' \
	    '... every byte of it'
	trap_ends 'ends'
fi
[ "$done_any" ] || skip_all 'no smtp-source in build/peers, no swaks, no curl'
done_testing
