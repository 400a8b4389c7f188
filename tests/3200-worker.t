#!/bin/sh
# What a worker learned of one site, or of one message, is not believed of another.
. "$(dirname "$0")/lib.sh"
need python3

export RELAYKIT_QUEUE="$T/queue" RELAYKIT_CONFIG="$T/conf"

# peer GREETING: greets every connection so and closes it; its port is $PORT
cat >"$T/greet.py" <<'END'
import socket, sys
l = socket.create_server(("127.0.0.1", 0))
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
	bg python3 "$T/greet.py" "$1" "$T/port"
	until_true 10 test -s "$T/port"
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

done_testing
