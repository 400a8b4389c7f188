#!/bin/sh
# What a worker learned of one site, or of one message, is not believed of another.
. "$(dirname "$0")/lib.sh"
need python3

export RELAYKIT_QUEUE="$T/queue" RELAYKIT_CONFIG="$T/conf"

# peer GREETING [ADDRESS]: greets every connection so and closes it; its port is $PORT
cat >"$T/greet.py" <<'END'
import socket, sys
at = sys.argv[3]
l = socket.create_server((at, 0), family=socket.AF_INET6 if ":" in at else socket.AF_INET)
with open(sys.argv[2] + ".tmp", "w") as f:
    f.write(str(l.getsockname()[1]))
import os
os.rename(sys.argv[2] + ".tmp", sys.argv[2])
while True:
    c = l.accept()[0]
    c.sendall(sys.argv[1].encode() + b"\r\n")
    c.close()
END
peer() {
	rm -f "$T/port"
	bg python3 "$T/greet.py" "$1" "$T/port" "${2:-127.0.0.1}"
	until_true 40 test -s "$T/port"
	PORT=$(cat "$T/port")
}
free_port() {
	python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
submit() {
	for to; do
		printf 'Subject: x\n\nx\n' | smtp-submit -odq -f a@example.org "$to" || exit 1
	done
}
# said TYPE RECIPIENT: how many such events
said() {
	cat "$RELAYKIT_QUEUE"/log/* | grep "\"type\":\"$1\"" | grep -c "\"recipient\":\"$2\""
}

# --- a host that takes no mail (RFC 7504), and one that is merely down

peer '521 here is no mail'
cat >"$T/conf" <<END
connections = 1
route "no.example" { relay = "127.0.0.1:$PORT" }
route "down.example" { relay = "127.0.0.1:$(free_port)" }
END
submit one@no.example
sleep 0.01
submit two@down.example
smtp-deliver
is "$(said bounced one@no.example)" 1 '521 in a greeting is for ever'
is "$(said bounced two@down.example)" 0 'but only of the host that said it'
is "$(said deferred two@down.example)" 1 'the next one is tried again'

# --- a host with two addresses: one says that it takes no mail, the other is down

for at in 127.0.0.1 ::1; do
	rm -rf "$T/queue"
	python3 -c "import socket; socket.create_server(('$at', 0), family=socket.AF_INET6 if ':' in '$at' else socket.AF_INET)" 2>/dev/null || {
		result 0 "521 from $at alone is not for ever # SKIP no such address here"
		continue
	}
	peer '521 here is no mail' $at
	echo "route \"*\" { relay = \"localhost:$PORT\" }" >"$T/conf"
	submit one@half.example
	smtp-deliver
	is "$(said bounced one@half.example) $(said deferred one@half.example)" '0 1' "521 from $at alone is not for ever"
	rm -rf "$T/queue"
	peer '450 4.7.1 not from there' $at
	echo "route \"*\" { relay = \"localhost:$PORT\" }" >"$T/conf"
	submit one@half.example
	smtp-deliver
	like "$(cat "$T"/queue/log/* | grep '"type":"deferred"')" \
	    '"response":\{"code":450,"enhanced_code":"4.7.1","content":"localhost\[.*not from there"' \
	    "what $at says is told, and not that nobody is at the other"
done

# --- messages to several destinations, one of which is closed

rm -rf "$T/queue"
trap_start
cat >"$T/conf" <<END
connections = 4
route "up.example" { relay = "127.0.0.1:$PORT" }
route "other.example" { relay = "127.0.0.1:$PORT" }
route "down.example" { relay = "127.0.0.1:$(free_port)" }
END
# more of them than are held open at once (64), and what shall not wait for them
for i in $(seq 100); do
	printf 'MAIL FROM:<a@example.org>\r\nRCPT TO:<u%d@up.example>\r\nRCPT TO:<d%d@down.example>\r\nDATA\r\n\r\nx\r\n.\r\n' "$i" "$i"
done | smtp-submit -odq -bS >/dev/null
ok 'a run ends that has opened more messages than it may hold' timeout 20 smtp-deliver
is "$(cat "$T"/queue/log/* | grep -c '"type":"delivered"')" 100 'everybody who could get it has it'
is "$(find "$T/queue/new" -type f | wc -l)" 0 'nothing is left where it was'
is "$(find "$T/queue/cur" -type f | wc -l)" 100 'the others wait for their hour'

# --- all destinations of a message at once: it is gone when the last is through

rm -rf "$T/queue"
for i in $(seq 200); do
	printf 'MAIL FROM:<a@example.org>\r\nRCPT TO:<u@up.example>\r\nRCPT TO:<u@[127.0.0.1]>\r\nDATA\r\n\r\nx\r\n.\r\n'
done >"$T/batch"
mkdir "$T/two"
PORT_UP=$PORT
trap_start
cat >"$T/conf" <<END
route "up.example" { relay = "127.0.0.1:$PORT_UP" }
route "[127.0.0.1]" { relay = "127.0.0.1:$PORT" }
END
smtp-submit -odq -bS <"$T/batch" >/dev/null
ok 'a run with messages to two servers' smtp-deliver
is "$(cat "$T"/queue/log/* | grep -c '"type":"delivered"')" 400 'both have all'
is "$(find "$T/queue/new" "$T/queue/cur" -type f | wc -l)" 0 'and no entry is left'

# --- --site, where the other recipients' site is known already

rm -rf "$T/queue"
sed -i 's/\[127.0.0.1\]" {/other.example" {/' "$T/conf"
sed 's/\[127.0.0.1\]/other.example/' "$T/batch" | smtp-submit -odq -bS >/dev/null
ok 'a run for one site' timeout 20 smtp-deliver --site "127.0.0.1:$PORT_UP"
is "$(said delivered u@up.example)" 200 'delivers what goes there'
is "$(said delivered u@other.example)" 0 'and nothing else'
ok 'the rest goes with the next run' timeout 20 smtp-deliver
is "$(said delivered u@up.example) $(said delivered u@other.example)" '200 200' 'once'

done_testing
