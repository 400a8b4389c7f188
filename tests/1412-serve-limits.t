#!/bin/sh
# Limits of smtp-serve by user, address and network, across its processes; failed logins cost time.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/serve.sh"
need python3

cat >"$T/c.py" <<'PY'
import smtplib, sys, time
port = int(sys.argv[1])
def send(n=1, rcpts=("b@y.example",), per=1):
    """The code of each message's end, or of what was refused before; `per` messages a connection."""
    got = []
    s = None
    for i in range(n):
        try:
            if i % per == 0:
                s = smtplib.SMTP("127.0.0.1", port)
            s.sendmail("a@x.example", list(rcpts), "Subject: s\r\n\r\nx")
            got.append("250")
        except smtplib.SMTPConnectError as e:
            got.append(str(e.smtp_code))
        except smtplib.SMTPRecipientsRefused as e:
            got.append(str(list(e.recipients.values())[0][0]))
        except smtplib.SMTPResponseException as e:
            got.append(str(e.smtp_code))
        if i % per == per - 1 and s and s.sock:
            s.quit()
    print(" ".join(got))
exec(sys.argv[2])
PY
c() {
	python3 "$T/c.py" "$PORT" "$1"
}
run() {
	rm -rf "$T/q"
	serve_conf "serve { networks = \"127.0.0.1\" } $1"
	serve_start
}

run 'limit "address" { messages_minute = 3 }'
is "$(c 'send(5)')" '250 250 250 450 450' 'messages a minute, each by a process of its own'
is "$(queued)" 3 'and no more'
ok 'ended' serve_stop
run 'limit "network" { messages_day = 2 }'
is "$(c 'send(4, per=4)')" '250 250 450 450' 'messages a day, over one connection'
ok 'ended' serve_stop
run 'limit "address" { recipients_minute = 3 }'
is "$(c 'send(2, ("b@y.example", "c@y.example"))')" '250 250' 'the fourth recipient is refused, the others are not'
is "$(cat "$T"/q/new/* | grep -ac '^rcpt=')" 3 'three recipients'
ok 'ended' serve_stop
run 'limit "address" { connections_minute = 2 }'
is "$(c 'send(4)')" '250 250 421 421' 'connections a minute'
ok 'ended' serve_stop
run 'limit "network" { connections_day = 2 }'
is "$(c 'send(4)')" '250 250 421 421' 'connections a day'
ok 'ended' serve_stop
run 'limit "address" { connections = 2 }'
is "$(c 'v = [smtplib.SMTP("127.0.0.1", port) for _ in range(2)]
send()
v[0].close()
time.sleep(0.5)
send()')" '421
250' 'connections at one time'
ok 'ended' serve_stop
run ''
is "$(c 'send(20)')" "$(yes 250 | head -20 | tr '\n' ' ' | sed 's/ $//')" 'no limits unless configured'
ok 'ended' serve_stop
# --- out of processes: who comes then waits, but for the one who has come
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null && command -v prlimit >/dev/null; then
	mkdir "$T/bin" "$T/few"
	cp "$BUILD/bin/smtp-serve" "$T/bin"
	chmod 755 "$T"
	# detect_leaks=0: a sanitizer would need a process for that.
	cat >"$T/few/smtp-serve" <<-END
		#!/bin/sh
		export ASAN_OPTIONS="detect_leaks=0:\$ASAN_OPTIONS"
		exec prlimit --nproc=1 setpriv --reuid 4212 --regid 4212 --clear-groups "$T/bin/smtp-serve" "\$@"
	END
	chmod 755 "$T/few/smtp-serve"
	path=$PATH
	PATH=$T/few:$PATH
	run ''
	PATH=$path
	is "$(c 'import socket
v = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
time.sleep(0.5)
gone = 0
for s in v:
    s.setblocking(False)
    try:
        gone += s.recv(1) == b""
    except BlockingIOError:
        pass
print(gone < 5)')" True 'of twenty who come at once one is turned away, the others wait'
	like "$(cat "$T/serve.err")" 'smtp-serve: fork: Resource temporarily unavailable' 'and it is told'
	ok 'ended' serve_stop
else
	result 0 'out of processes # SKIP not root, or no prlimit'
fi
fails 'an unknown kind' 78 "smtp-serve: $T/serve.conf:3: limit \"host\": none of user, address, network" \
    sh -c "printf 'hostname=h\n\nlimit \"host\" { }\n' >'$T/serve.conf'; smtp-serve -C '$T/serve.conf' --queue '$T/q'"

done_testing
