#!/bin/sh
# SMTP smuggling: every sequence of CR, LF and NUL around a dot, in the middle of a message, against
# smtp-serve and through it and smtp-deliver: one message in, at most one out, whatever the next hop
# takes for an end; and nothing of what was smuggled is ever a command.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/serve.sh"
need python3

for line_ends in refuse repair; do
	for how in data bdat; do
		rm -rf "$T/q"
		serve_conf "serve { networks = \"127.0.0.1\" line_ends = $line_ends messages = 0 errors = 1000 idle_commands = 100000 }"
		serve_start
		python3 "$TOP/tests/smuggle.py" "$PORT" "$T/q" $how 3 >"$T/out" 2>&1
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
