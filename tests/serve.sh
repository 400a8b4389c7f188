# serve.sh - for tests of smtp-serve: a configuration, a process, a scripted client.

# serve_conf TEXT: $T/serve.conf
serve_conf() {
	printf 'hostname = "h.example"\ndomain = "h.example"\n%s\n' "$1" >"$T/serve.conf"
}

# serve_start [OPTIONS]: at a free port of 127.0.0.1, with the queue $T/q; PORT and SERVE_PID are set
serve_start() {
	: >"$T/serve.err"
	smtp-serve -C "$T/serve.conf" --queue "$T/q" -v --listen 127.0.0.1:0 "$@" 2>"$T/serve.err" &
	SERVE_PID=$!
	bg_pids="$bg_pids $SERVE_PID"
	until_true 40 grep -q 'listening at' "$T/serve.err" ||
	    { cat "$T/serve.err"; echo 'Bail out! smtp-serve did not start'; exit 1; }
	PORT=$(sed -n 's/.*listening at .*:\([0-9]*\)$/\1/p' "$T/serve.err" | head -1)
}
serve_stop() {
	kill "$SERVE_PID" && wait "$SERVE_PID"
}

# say LINES...: one conversation by pipes, each argument a line with CRLF; replies on standard output
say() {
	printf '%s\r\n' "$@" | smtp-serve -C "$T/serve.conf" --queue "$T/q" 2>"$T/err" | tr -d '\r'
}
# queued: how many messages
queued() {
	find "$T/q/new" -type f 2>/dev/null | wc -l
}
empty_queue() {
	rm -f "$T"/q/new/*
}
# certificate NAME: $T/NAME.pem and $T/NAME.key
certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
	    -addext "subjectAltName=DNS:$1" -keyout "$T/$1.key" -out "$T/$1.pem" 2>"$T/.err"
}
