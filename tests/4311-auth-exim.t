#!/bin/sh
# smtp-deliver logs in at a real Exim, whose PLAIN, LOGIN and CRAM-MD5 are its own.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
exim_here || skip_all "$REASON"
need openssl perl

EXIM_PID=
trap 'exim_stop; cleanup' EXIT
chmod 755 "$T"
certificate "$T"
export RELAYKIT_QUEUE="$T/queue" RELAYKIT_CONFIG="$T/conf" PW=pencil
EXIM_AUTH='begin authenticators
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${if eq{$auth1}{ann}{pencil}fail}
  server_set_id = $auth1
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{ann}}{eq{$auth3}{pencil}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = "Username:: : Password::"
  server_condition = ${if and{{eq{$auth1}{ann}}{eq{$auth2}{pencil}}}}
  server_set_id = $auth1'
exim_start "$T/exim" "$T/cert.pem" "$T/key.pem" || exit 1

n=0
for m in CRAM-MD5 PLAIN LOGIN; do
	printf 'hostname = "relay.example"\nroute "*" { relay = "127.0.0.1:%s" user = "ann" password_env = "PW" auth = "%s" }\n' \
	    "$EXIM_PORT" "$m" >"$T/conf"
	n=$((n + 1))
	printf 'Subject: %s\n\nhello\n' "$m" | smtp-submit -odq -f a@sender.example b@rcpt.example
	ok "$m: a run" smtp-deliver
	is "$(find "$RELAYKIT_QUEUE/new" "$RELAYKIT_QUEUE/cur" -type f | wc -l)" 0 "$m: delivered"
	like "$(cat "$T"/exim/log/main)" "A=[a-z0-9]*:ann.* S=[0-9]+.*" "$m: Exim knows who it was"
done
is "$(grep -c 'A=[a-z0-9]*:ann ' "$T/exim/log/main")" "$n" 'each of them logged in'
export PW=wrong
printf 'Subject: x\n\nhello\n' | smtp-submit -odq -f a@sender.example b@rcpt.example
smtp-deliver
is "$(find "$RELAYKIT_QUEUE/cur" -type f | wc -l)" 1 'with a wrong password the message waits'
like "$(tail -1 "$RELAYKIT_QUEUE"/log/events-*)" '"type":"deferred".*login as ann by LOGIN: 535' 'with the reason'
done_testing
