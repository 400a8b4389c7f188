#!/bin/sh
# SMTP smuggling: every sequence of CR, LF and NUL around a dot, in the middle of a message, against
# smtp-serve and through it and smtp-deliver: one message in, at most one out, whatever the next hop
# takes for an end; and nothing of what was smuggled is ever a command.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/serve.sh"
need python3

cat >"$T/smuggle.py" <<'PY'
import itertools, os, socket, sys
port, q, how = int(sys.argv[1]), sys.argv[2] + "/new", sys.argv[3]
around = [b"".join(v) for n in range(4) for v in itertools.product((b"\r", b"\n", b"\0"), repeat=n)]
inner = (b"MAIL FROM:<evil@x.example>\r\nRCPT TO:<evil@y.example>\r\nDATA\r\nFrom: evil@x.example\r\n\r\nevil\r\n")
wrong, taken, refused, closed = [], 0, 0, 0

def reply(f):
    while True:
        line = f.readline()
        if line[3:4] != b"-":
            return line

c = None
for before in around:
    for after in around:
        text = b"From: a@x.example\r\n\r\nbody" + before + b"." + after + inner + b"\r\n.\r\n"
        real = (before.endswith(b"\r\n") and after.startswith(b"\r\n"))
        if real:
            continue        # that is an end
        if c is None:
            c = socket.create_connection(("127.0.0.1", port), timeout=20)
            f = c.makefile("rwb")
            reply(f)
            f.write(b"EHLO me\r\n")
            f.flush()
            reply(f)
        if how == "data":
            f.write(b"MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\n")
        else:
            text = text[:-5] + b"\r\n"
            f.write(b"MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nBDAT %d LAST\r\n" % len(text))
        f.flush()
        reply(f), reply(f)
        if how == "data":
            reply(f)
        n = len(os.listdir(q)) if os.path.isdir(q) else 0
        f.write(text + b"NOOP\r\n")
        f.flush()
        end, noop = reply(f), reply(f)
        now = len(os.listdir(q)) if os.path.isdir(q) else 0
        if not noop.startswith(b"250 2.0.0 Ok\r"):
            wrong.append((before, after, end, noop))
            c = None
        if end.startswith(b"250"):
            taken += 1
            if now != n + 1:
                wrong.append((before, after, now - n))
        else:
            refused += 1
            if now != n:
                wrong.append((before, after, now - n))
        if taken and taken % 400 == 0 or refused and refused % 15 == 0:
            c = None        # too many errors, or messages, for one connection
print(len(wrong), wrong[:3])
print(taken, refused)
PY

for line_ends in refuse repair; do
	for how in data bdat; do
		rm -rf "$T/q"
		serve_conf "serve { networks = \"127.0.0.1\" line_ends = $line_ends messages = 0 errors = 1000 idle_commands = 100000 }"
		serve_start
		python3 "$T/smuggle.py" "$PORT" "$T/q" $how >"$T/out" 2>&1
		is "$(head -1 "$T/out")" '0 []' "$line_ends, $how: one message each, or none"
		case $line_ends in
		# What is left has CRLF alone around the dot: "CRLF." or ".CRLF", and no end.
		refuse) ok "$how: most are refused: $(sed -n 2p "$T/out")" sh -c 'set -- $(sed -n 2p "$0"); [ "$2" -gt 1400 ] && [ "$1" -gt 2 ]' "$T/out" ;;
		repair) ok "$how: without NUL they are taken: $(sed -n 2p "$T/out")" sh -c 'set -- $(sed -n 2p "$0"); [ "$1" -gt 100 ] && [ "$2" -gt 900 ]' "$T/out" ;;
		esac
		ok "$line_ends, $how: ended" serve_stop
		bad=$(cat "$T"/q/new/* 2>/dev/null | python3 -c '
import re, sys
print(len(re.findall(rb"\nsender=<evil", sys.stdin.buffer.read())))')
		is "$bad" 0 "$line_ends, $how: evil sends nothing"
	done
done

# What was repaired goes on to a next hop: as many messages come out, and nothing but CRLF in them.
n=$(queued)
trap_start
printf 'hostname = "h.example"\nroute "*" { relay = "127.0.0.1:%s" }\nconnection_messages = 10000\n' "$PORT" >"$T/out.conf"
ok 'delivered' smtp-deliver -C "$T/out.conf" --queue "$T/q" --now
is "$(find "$T/trap/new" -type f | wc -l)" "$n" 'through us: as many messages as were taken'
is "$(cat "$T"/trap/new/* | grep -c '^X-Envelope-To: <evil')" 0 'none to whom evil wanted'
done_testing
