#!/bin/sh
# smtp-deliver logs in at a smarthost: each mechanism, each source of the secret, and what is deferred.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/serve.sh"
need openssl
cd "$T" || exit 1

printf 'pencil\n' | smtp-passwd --users users add --keys scram-sha-256,scram-sha-1,cram-md5 --from '*' \
    --iterations 4096 ann
certificate h.example
cat >check-token <<'S'
#!/bin/sh
set -- $(tr '\0' ' ' <&3)
[ "$2" = tok.en1 ] || exit 1
echo ann
S
chmod +x check-token
serve_conf "certificate \"h.example\" { cert = \"$T/h.example.pem\" key = \"$T/h.example.key\" }
serve { users = \"$T/users\" token = \"$T/check-token\" greet_delay = 0 }"
serve_start

printf 'pencil\n' >secret
chmod 600 secret
# deliver ROUTE-KEYS: one message by that route, to smtp-serve; DONE is the last event's type and text
deliver() {
	rm -rf dq
	printf 'hostname = "c.example"\nroute "*" { relay = "127.0.0.1:%s" %s }\n' "$PORT" "$1" >deliver.conf
	printf 'Subject: x\n\nhello\n' |
	    smtp-submit -C deliver.conf --queue dq -odq -f ann@example.org bob@example.net || return
	PW=pencil timeout 60 smtp-deliver -C deliver.conf --queue dq >out 2>err
	DONE=$(cat dq/log/events-*.jsonl | tail -1 | python3 -c '
import json, sys
e = json.loads(sys.stdin.read())
r = e.get("response", {})
print(e["type"], r.get("code", ""), r.get("enhanced_code", ""), r.get("content", ""))' 2>&1)
}

user='user = "ann" password_file = "secret"'
for m in SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN CRAM-MD5; do
	deliver "$user auth = \"$m\""
	like "$DONE" '^delivered 250' "$m"
done
deliver "$user"
like "$DONE" '^delivered 250' 'the best that is offered'
deliver 'user = "ann" password_env = "PW"'
like "$DONE" '^delivered 250' 'the secret from the environment'
printf '#!/bin/sh\necho asked >>"%s/asked"\nprintf "%%s\\n" pencil\n' "$T" >command
chmod +x command
deliver "user = \"ann\" password_command = \"$T/command\""
like "$DONE" '^delivered 250' 'the secret from a command, in the sandbox'
is "$(cat asked)" asked 'which is asked once'
printf '#!/bin/sh\necho tok.en1\necho expires=3600\n' >command
deliver "user = \"ann\" password_command = \"$T/command\" auth = \"OAUTHBEARER\""
like "$DONE" '^delivered 250' 'OAUTHBEARER'
deliver "user = \"ann\" password_file = \"secret\" tls = none"
like "$DONE" '^delivered 250' 'without TLS by what does not show the password'

printf 'Subject: x\n\nhello\n' |
    smtp-submit -C deliver.conf --queue dq -odq -f ann@example.org bob@example.net
like "$(smtp-deliver -C deliver.conf --queue dq --now --dry-run=rcpt)" 'bob@example.net.*would be taken' 'a dry run logs in, too'
printf '#!/bin/sh\necho old.token\n' >command
deliver "user = \"ann\" password_command = \"$T/command\" auth = \"OAUTHBEARER\""
like "$DONE" '^deferred 535 5?\.?.*login as ann by OAUTHBEARER: 535 5.7.8 Authentication credentials invalid: ..status.:.invalid_token' \
    'a token that has expired: deferred, with the reason'
deliver "$user auth = \"PLAIN\" tls = none"
like "$DONE" '^deferred .*AUTH: only .* is offered, which shows the password, and there is no TLS|^deferred .*AUTH: none of the mechanisms offered can be used' \
    'PLAIN without TLS is not said'
printf 'wrong\n' >wrong
chmod 600 wrong
deliver 'user = "ann" password_file = "wrong"'
like "$DONE" '^deferred 535 4.7.8 .*login as ann by SCRAM-SHA-256-PLUS: 535 5.7.8 Authentication credentials invalid$' \
    'a wrong password is no recipient'"'"'s fault'
is "$(find dq/cur -type f | wc -l)" 1 'the message waits'
chmod 644 wrong
deliver 'user = "ann" password_file = "wrong"'
like "$DONE" '^deferred .*password_file wrong: mode 0644; others must not read it, its group not write it' \
    'a file that others can read is not used'
deliver 'user = "ann" password_file = "none"'
like "$DONE" '^deferred .*password_file none: No such file or directory' 'no file'
deliver 'user = "ann" password_env = "NONE"'
like "$DONE" '^deferred .*password_env: NONE is not in the environment' 'no variable'
printf '#!/bin/sh\nexit 3\n' >command
deliver "user = \"ann\" password_command = \"$T/command\""
like "$DONE" '^deferred .*password_command: exit 3' 'a command that fails'
# A run that is told to end does not wait for one, nor does each of its connections ask for another.
rm -rf dq
printf '#!/bin/sh\ntouch "%s/begun"\nsleep 20\ntouch "%s/over"\n' "$T" "$T" >command
printf 'hostname = "c.example"\nroute "*" { relay = "127.0.0.1:%s" user = "ann" password_command = "%s/command" }\n' "$PORT" "$T" >deliver.conf
for i in 1 2 3; do
	printf 'Subject: x\n\nhello\n' | smtp-submit -C deliver.conf --queue dq -odq -f ann@example.org "b$i@example.net"
done
bg smtp-deliver -C deliver.conf --queue dq
run=$!
until_true 40 test -e begun
kill $run
wait $run
is "$? $(find dq/new -type f | wc -l) $(ls over 2>/dev/null)" '0 3 ' 'SIGTERM ends a wait for a command: nothing was tried'
deliver "user = \"ann\" password_command = \"$T/none\""
like "$DONE" '^deferred .*password_command: exit 127' 'no such command'
is "$(grep -rl pencil dq out err 2>/dev/null)" '' 'the password is nowhere in the queue or its log'

printf 'route "*" { relay = "r" user = "a" }\n' >bad.conf
smtp-deliver -C bad.conf --queue dq 2>err
is "$?" 78 'a login without a secret is no configuration'
like "$(cat err)" 'user wants one of password_file, password_env, password_command' 'says what is missing'
printf 'route "*" { user = "a" password_env = "X" }\n' >bad.conf
like "$(smtp-deliver -C bad.conf --queue dq 2>&1)" 'user is for a relay' 'a login at an MX'
printf 'route "*" { relay = "r" password_env = "X" }\n' >bad.conf
like "$(smtp-deliver -C bad.conf --queue dq 2>&1)" 'a login without user' 'no user'
printf 'route "*" { relay = "r" user = "a" password_env = "X" auth = "PLAIN FOO" }\n' >bad.conf
like "$(smtp-deliver -C bad.conf --queue dq 2>&1)" '"PLAIN FOO" is not a list of SASL mechanisms' 'no such mechanism'
sed -i 's/PLAIN FOO/EXTERNAL/' bad.conf
like "$(smtp-deliver -C bad.conf --queue dq 2>&1)" 'auth = EXTERNAL wants a tls_certificate' 'no certificate to show'
serve_stop
done_testing
