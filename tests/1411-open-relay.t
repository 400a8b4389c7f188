#!/bin/sh
# smtp-serve relays for nobody who has not logged in and is in no listed network, however it is asked;
# with domains of ours, too, of which it lets nobody go further.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/serve.sh"
need python3

cat >"$T/ask.py" <<'PY'
import socket, sys
port = int(sys.argv[1])
send = len(sys.argv) > 2  # whatever is taken is sent; the queue says where it goes
ours, them = "h.example", "victim.example"
senders = ["<>", "<a@h.example>", "<a@x.example>", "<postmaster>", "<a>", "<a@[127.0.0.1]>",
           "<@h.example:a@x.example>", "<root@localhost>", "<MAILER-DAEMON@h.example>", "<a@h.example> AUTH=<>",
           "<a@x.example> AUTH=a@h.example"]
rcpts = ["<u@victim.example>", "<u%victim.example@h.example>", "<u%victim.example>",
         "<u@victim.example@h.example>", "<\"u@victim.example\">", "<\"u@victim.example\"@h.example>",
         "<\"u%victim.example\"@h.example>", "<@h.example:u@victim.example>",
         "<@h.example,@h.example:u@victim.example>", "<victim.example!u>", "<victim.example!u@h.example>",
         "<u@[127.0.0.1]>", "<u%victim.example@[127.0.0.1]>", "<u@h.example>", "<u@localhost>", "<postmaster>",
         "<\"\"@victim.example>", "<u@victim.example.>", "<u @victim.example>", "u@victim.example",
         "<u@victim.example", "<u@VICTIM.example>", "< u@victim.example>", "<u@victim.example> ",
         "<u@victim.example> NOTIFY=NEVER", "<relaytest!u@victim.example>", "<u@h.example@victim.example>",
         "<\"u@h.example\"@victim.example>", "<u@xn--victim.example>", "<u(c)@victim.example>",
         "<@h.example:u%victim.example@h.example>", "<@victim.example:u@h.example>", "<u+victim.example@h.example>",
         "<u+x%victim.example@h.example>", "<u+x@victim.example@h.example>", "<\"u+x@victim.example\"@h.example>",
         "<\"u\\@victim.example\"@h.example>", "<\"victim.example!u\"@h.example>", "<h.example!victim.example!u@h.example>",
         "<u%h.example@victim.example>", "<u@h.example.victim.example>", "<u@sub.h.example>", "<u@h.example.>",
         "<u@H.EXAMPLE>", "<u@[h.example]>", "<u@h.example@h.example>", "<postmaster@victim.example>",
         "<postmaster%victim.example@h.example>", "<abuse%victim.example@h.example>", "<*@victim.example>", "<*@h.example>",
         "<\"*\"@h.example>", "<u%victim.example%h.example>", "<u/victim.example@h.example>", "<|u@h.example>"]
bad = []
for k, hello in enumerate(("HELO h.example", "EHLO localhost", "EHLO [127.0.0.1]")[:1 if send else 3]):
    for s in senders:
        for r in rcpts[k::3 if k else 1]:
            c = socket.create_connection(("127.0.0.1", port), timeout=10)
            f = c.makefile("rwb")
            f.readline()
            def cmd(line):
                f.write(line.encode() + b"\r\n")
                f.flush()
                while True:
                    got = f.readline()
                    if got[3:4] != b"-":
                        return got[:1]
            cmd(hello)
            cmd("MAIL FROM:" + s)
            if send:
                if cmd("RCPT TO:" + r) == b"2" and cmd("DATA") == b"3":
                    cmd("From: x\r\n\r\nx\r\n.")
            elif cmd("RCPT TO:" + r) == b"2" or cmd("DATA") in b"23":
                bad.append((hello, s, r))
            c.close()
print(len(bad), bad[:5])
PY

for auth in required offered none; do
	serve_conf "serve { networks = \"192.0.2.0/24, ::1\" errors = 1000 } listen \"x\" { auth = $auth }"
	serve_start --as x
	is "$(python3 "$T/ask.py" "$PORT")" '0 []' "auth = $auth: not one of a thousand ways"
	ok "auth = $auth: ended" serve_stop
done
is "$(queued)" 0 'nothing was queued'
# Domains of ours: strangers reach who is there, and nobody else.  info leads elsewhere, on our word.
printf 'u\ninfo: far@elsewhere.example\n' >"$T/listed"
printf '*\nu\n' >"$T/all"
printf '*: u\nu\n' >"$T/alias"
reached() {
	python3 "$T/ask.py" "$PORT" send >/dev/null
	cat "$T"/q/new/* | grep -a '^rcpt=' | sed 's/ ORCPT.*//' | sort -u
	empty_queue
}
for file in listed alias all; do
	serve_conf "route \"*\" { relay = \"127.0.0.1:9\" } local \"h.example\" { addresses = \"$T/$file\" } serve { spf = off dkim = off dmarc = off errors = 1000 }
listen \"x\" { auth = $([ $file = all ] && echo offered || echo none) }"
	serve_start --as x
	want='rcpt=<postmaster@h.example>
rcpt=<u+victim.example@h.example>
rcpt=<u@h.example>'
	[ $file = alias ] && want='rcpt=<u+victim.example@h.example>
rcpt=<u@h.example>'
	[ $file = all ] && want='rcpt=<*@h.example>
rcpt=<postmaster@h.example>
rcpt=<u+victim.example@h.example>
rcpt=<u/victim.example@h.example>
rcpt=<u@h.example>
rcpt=<|u@h.example>'
	is "$(reached)" "$want" "$file: who is reached"
	ok "$file: ended" serve_stop
done
# and the way that is meant
serve_conf 'serve { networks = "127.0.0.1" } listen "x" { auth = none }'
serve_start --as x
taken=$(python3 "$T/ask.py" "$PORT" | cut -d' ' -f1)
ok 'a listed network may' test "$taken" -gt 100
done_testing
