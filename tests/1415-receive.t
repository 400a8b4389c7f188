#!/bin/sh
# smtp-serve takes mail for domains of ours from strangers: who is there, aliases, files that change or
# are of no use, what is done to the message and what is not.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/serve.sh"
need python3

# --- the configuration
serve_conf 'local "h.example, h.example" { addresses = "/x" }'
fails 'a domain twice' 78 'smtp-serve: local: domain h.example stands twice' \
    smtp-serve -C "$T/serve.conf" --queue "$T/q"
serve_conf 'local "h.example bücher.example" { addresses = "/x" } route "h.example" { relay = "192.0.2.1" }'
fails 'no route' 78 'smtp-serve: local: no route says where mail for xn--bcher-kva.example goes' \
    smtp-serve -C "$T/serve.conf" --queue "$T/q"
serve_conf 'local "h.example" { }'
fails 'no file' 78 "smtp-serve: $T/serve.conf:3: local \"h.example\": it names no addresses" \
    smtp-serve -C "$T/serve.conf" --queue "$T/q"

cat >"$T/c.py" <<'PY'
"""A stranger: say("LINE", ...) prints the replies but for the first two; a line that begins with "." is
the content of a message, whole."""
import socket, sys
port = int(sys.argv[1])
def say(*lines, hello="EHLO x.example", sender="<e@x.example>"):
    s = socket.create_connection(("127.0.0.1", port), timeout=30)
    f = s.makefile("rwb")
    def reply():
        while True:
            line = f.readline().decode().rstrip("\r\n")
            if line[3:4] != "-":
                return line
    reply()
    for i, line in enumerate((hello, "MAIL FROM:" + sender) + lines):
        if line.startswith("."):
            line = line[1:].replace("\n", "\r\n") + "\r\n."
        f.write(line.encode() + b"\r\n")
        f.flush()
        got = reply()
        if i > 1:
            print(got.split(" queued")[0])
exec(sys.argv[2])
PY
c() {
	python3 "$T/c.py" "$PORT" "$1" 2>&1
}
# rcpts: those of all entries, sorted; and the queue is empty again
rcpts() {
	cat "$T"/q/new/* | grep -a '^rcpt=' | sort
	empty_queue
}
cat >"$T/a" <<'END'
ann
Bob
jörg
info: ann, bob+x, carol@elsewhere.example
both: info, ann, ANN
sales@two.example: ann
wrong: nobody
a: b
b: a
END
serve_conf "route \"*\" { relay = \"127.0.0.1:9\" }
local \"h.example bücher.example\" { addresses = \"$T/a\" }
local \"two.example\" { addresses = \"$T/a\" }
local \"all.example\" { addresses = \"$T/all\" delimiter = \"\" }
local \"gone.example\" { addresses = \"$T/gone\" }
serve { networks = \"192.0.2.0/24\" errors = 100 }
limit \"address\" { recipients_day = 1000 }
listen \"mx\" { auth = none }"
printf '*\n' >"$T/all"
serve_start --as mx
is "$(grep -v listening "$T/serve.err")" "smtp-serve: mail for gone.example waits: $T/gone: no such file" \
    'a file that is not there is told'

# --- who is there
is "$(c 'say("RCPT TO:<ann@h.example>", "RCPT TO:<ANN@H.example>", "RCPT TO:<nobody@h.example>",
    "RCPT TO:<ann@other.example>", "RCPT TO:<Postmaster>", "RCPT TO:<abuse@h.example>",
    "RCPT TO:<ann+lists@h.example>", "RCPT TO:<sales@two.example>", "RCPT TO:<sales@h.example>", "VRFY ann")')" \
'250 2.1.5 Recipient ok
250 2.1.5 Recipient ok
550 5.1.1 <nobody@h.example>: nobody is there
550 5.7.1 relaying denied: log in first
250 2.1.5 Recipient ok
250 2.1.5 Recipient ok
250 2.1.5 Recipient ok
250 2.1.5 Recipient ok
550 5.1.1 <sales@h.example>: nobody is there
252 2.5.0 Cannot VRFY user, but will take mail for it and try' 'who is there and who is not'
c 'say("RCPT TO:<both@h.example>", "RCPT TO:<ann@h.example> NOTIFY=NEVER", "RCPT TO:<postmaster>", "DATA", ".x")' >"$T/out"
is "$(tail -1 "$T/out")" '250 2.0.0 Ok:' 'a message'
is "$(cat "$T"/q/new/* | grep -ac '^received=1$')" 1 'which is known not to be ours'
is "$(rcpts)" 'rcpt=<Bob+x@h.example> ORCPT=rfc822;both@h.example
rcpt=<ann@h.example> ORCPT=rfc822;both@h.example
rcpt=<carol@elsewhere.example> ORCPT=rfc822;both@h.example
rcpt=<postmaster@h.example>' 'where the aliases lead, each address once'
c 'say("RCPT TO:<info@h.example> NOTIFY=FAILURE ORCPT=rfc822;old@y.example", "DATA", ".x")' >"$T/out"
is "$(rcpts)" 'rcpt=<Bob+x@h.example> NOTIFY=FAILURE ORCPT=rfc822;old@y.example
rcpt=<ann@h.example> NOTIFY=FAILURE ORCPT=rfc822;old@y.example
rcpt=<carol@elsewhere.example> NOTIFY=FAILURE ORCPT=rfc822;old@y.example' 'with what the client said'
is "$(c 'say("RCPT TO:<jörg@bücher.example>", "RCPT TO:<ann@xn--bcher-kva.example>", "DATA", ".x", sender="<e@x.example> SMTPUTF8")')" \
'250 2.1.5 Recipient ok
250 2.1.5 Recipient ok
354 End data with <CR><LF>.<CR><LF>
250 2.0.0 Ok:' 'SMTPUTF8, and a domain in both of its forms'
is "$(rcpts)" 'rcpt=<ann@xn--bcher-kva.example>
rcpt=<jörg@xn--bcher-kva.example>' 'are in the queue'
is "$(c 'say("RCPT TO:<ann@h.example>", "DATA", ".x", sender="<>")')" '250 2.1.5 Recipient ok
354 End data with <CR><LF>.<CR><LF>
250 2.0.0 Ok:' 'the null sender'
empty_queue

# --- not known today
is "$(c 'say("RCPT TO:<x@gone.example>", "RCPT TO:<postmaster@gone.example>", "RCPT TO:<wrong@h.example>", "RCPT TO:<a@h.example>", "DATA")')" \
'451 4.3.0 local trouble: try again later
451 4.3.0 local trouble: try again later
451 4.3.5 local trouble: try again later
451 4.3.5 local trouble: try again later
554 5.5.1 no valid recipients' 'trouble of ours is nobody else'\''s fault'
is "$(tail -2 "$T/serve.err")" "smtp-serve: mail for wrong@h.example waits: $T/a: line 7: nobody is nobody@h.example
smtp-serve: mail for a@h.example waits: $T/a: line 8: $T/a: line 9: a@h.example leads back to itself" 'and is told'
printf 'x\n' >"$T/gone"
is "$(c 'say("RCPT TO:<x@gone.example>", "RCPT TO:<y@gone.example>")')" '250 2.1.5 Recipient ok
550 5.1.1 <y@gone.example>: nobody is there' 'a file that comes is read'
printf 'y\n' >"$T/gone"
is "$(c 'say("RCPT TO:<x@gone.example>", "RCPT TO:<y@gone.example>")')" '550 5.1.1 <x@gone.example>: nobody is there
250 2.1.5 Recipient ok' 'and another'
printf 'y: |cat\n' >"$T/gone"
is "$(c 'say("RCPT TO:<x@gone.example>", "RCPT TO:<y@gone.example>")')" '451 4.3.0 local trouble: try again later
451 4.3.0 local trouble: try again later' 'and one with a mistake'
is "$(tail -1 "$T/serve.err")" \
    "smtp-serve: mail for gone.example waits: $T/gone: line 1: a program, a file or :include: is no target here" 'which is told'
is "$(queued)" 0 'of all that nothing is queued'

# --- what is asked for besides
is "$(c 'say("RCPT TO:<ann@h.example>", sender="<e@x.example> HOLDFOR=60")')" '503 5.5.1 MAIL first' 'mail of strangers is not held'
c 'say("RCPT TO:<ann@h.example>", "DATA", ".x", sender="<e@x.example> MT-PRIORITY=9 AUTH=e@x.example BY=600;R")' >"$T/out"
is "$(cat "$T"/q/new/* | grep -a -e ^priority -e ^auth -e ^by | sed 's/^by=[0-9]*/by=N/')" 'by=N;R
auth=<<>>' 'nor is it more urgent than others'
empty_queue

# --- the message as it is
python3 - "$T/c.in" <<'PY'
import sys
open(sys.argv[1], "w").write("Return-Path: <forged@x.example>\nto: ann\nSUBJECT:  x\nLong: %s\nBcc: b@x.example\n\n%s\nx"
                             % ("y" * 990, "z" * 2000))
PY
c 'say("RCPT TO:<info@h.example>", "DATA", "." + open("'"$T"'/c.in").read())' >"$T/out"
cat "$T"/q/new/* | tr -d '\r' | sed '1,/^;\{0,1\}\t*Sun\|^\tby\|^\tid/d' >"$T/got"
is "$(sed -n '/^to:/,$p' "$T/got")" "$(sed '1d' "$T/c.in")" 'is not completed, folded, encoded or made whole'
is "$(cat "$T"/q/new/* | grep -ac -e Return-Path -e '^Date:' -e Message-ID -e '^From:')" 0 'but for Return-Path'
is "$(cat "$T"/q/new/* | tr -d '\r' | sed -n '/^Received/,/;/p' | tr '\n\t' '  ' | tr -s ' ' | sed 's/id [0-9a-z]*/id ID/')" \
    'Received: from x.example ([127.0.0.1]) by h.example (relaykit) with ESMTP id ID for <info@h.example>; ' \
    'and Received, which does not tell where an alias leads'
empty_queue
is "$(c 'say("RCPT TO:<ann@h.example>", "DATA", "." + 99 * "Received: x\n" + "\nx", "MAIL FROM:<>", "RCPT TO:<ann@h.example>", "DATA", "." + 100 * "received : x\n" + "\nx")' | sed -n '3p;$p')" \
'250 2.0.0 Ok:
554 5.4.6 100 Received fields: the message goes round in a circle' 'a hundred hops are too many'
is "$(queued)" 1 'and 99 are not'
empty_queue
ok 'ended' serve_stop

# --- users of ours
serve_conf "route \"*\" { relay = \"127.0.0.1:9\" }
local \"h.example\" { addresses = \"$T/a\" }
serve { networks = \"127.0.0.1\" }"
serve_start
c 'say("RCPT TO:<info@h.example>", "RCPT TO:<x@other.example>", "RCPT TO:<nobody@h.example>", "DATA", ".to: ann\n\nx")' >"$T/out"
is "$(sed -n '3,$p' "$T/out")" '550 5.1.1 <nobody@h.example>: nobody is there
354 End data with <CR><LF>.<CR><LF>
250 2.0.0 Ok:' 'who may relay may, and reaches our domains like others'
like "$(cat "$T"/q/new/* | tr -d '\r')" '^to: ann@h.example$' "his mail is completed"
is "$(rcpts | wc -l)" 4 'and his recipients are these'
ok 'ended' serve_stop

# --- a door that asks for a login does so
serve_conf "route \"*\" { relay = \"127.0.0.1:9\" }
local \"h.example\" { addresses = \"$T/a\" }"
serve_start
is "$(c 'say("RCPT TO:<ann@h.example>")')" '503 5.5.1 MAIL first' 'auth = required is for strangers, too'
ok 'ended' serve_stop

# --- a stranger who writes as one of us does not get our signature by way of an alias
if command -v openssl >/dev/null; then
	trap_start
	(umask 077 && openssl genrsa -out "$T/key.pem" 2048 2>/dev/null)
	serve_conf "local \"h.example\" { addresses = \"$T/a\" }
dkim \"h.example/s\" { key = \"$T/key.pem\" } notices { bounce = none }
route \"*\" { relay = \"127.0.0.1:$PORT\" } serve { spf = off dmarc = off }
listen \"mx\" { auth = none }"
	rm -rf "$T/q"
	serve_start --as mx
	c 'say("RCPT TO:<info@h.example>", "DATA", ".From: ann@h.example\nSubject: forged\n\nx")' >"$T/out"
	c 'say("RCPT TO:<info@h.example>", "DATA", ".From: e@x.example\nSubject: not ours\n\nx")' >"$T/out"
	smtp-submit -C "$T/serve.conf" --queue "$T/q" -odq -f ann@h.example x@elsewhere.example <<END
From: ann@h.example
Subject: ours

x
END
	smtp-deliver -C "$T/serve.conf" --queue "$T/q"
	is "$(find "$T/q/new" "$T/q/cur" -type f | wc -l)" 0 'all of it goes on'
	is "$(grep -l '^Subject: ours' "$T"/trap/new/* | xargs grep -l '^DKIM-Signature:' | wc -l)" 1 'what is ours is signed'
	is "$(grep -l -e '^Subject: forged' -e '^Subject: not ours' "$T"/trap/new/* | xargs grep -c '^DKIM-Signature:' | cut -d: -f2 | sort -u)" 0 \
	    'what is not is not'
	ok 'ended' serve_stop
fi
done_testing
