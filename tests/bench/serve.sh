# serve.sh - scripts/bench's row of smtp-serve.

# serve [OPTION...]: a door for this machine; DOOR is its port
serve() {
	rm -f "$W/serve.err"
	smtp-serve -C "$W/conf" --queue "$Q" -v --listen 127.0.0.1:0 "$@" 2>"$W/serve.err" &
	DOOR_PID=$!
	for _ in $(seq 100); do
		DOOR=$(sed -n 's/.*listening at .*:\([0-9]*\)$/\1/p' "$W/serve.err" 2>/dev/null)
		[ -n "$DOOR" ] && return
		sleep 0.05
	done
	cat "$W/serve.err" >&2
	exit 70
}
serve_end() {
	kill "$DOOR_PID"
	wait "$DOOR_PID" 2>/dev/null
	DOOR_PID=
}
# source_mail PORT [OPTION...]: Postfix's client, 20 sessions, 4 KiB a message
source_mail() {
	port=$1
	shift
	LD_LIBRARY_PATH=$(cat "$PEERS/postfix/libpath") "$PEERS/postfix/usr/sbin/smtp-source" "$@" -s 20 \
	    -m "$SERVE" -l 4096 -f $FROM -t $TO "127.0.0.1:$port"
}
since() {
	calc "$SERVE * 1e9 / ($(date +%s%N) - $1)"
	echo
}
serve_once() {
	queue_new
	serve
	start=$(date +%s%N)
	source_mail "$DOOR" "$@"
	since "$start"
	serve_end
}
serve_raw() {
	raw_new
	rawqueue "$RAW" "$SERVE" 20 4096
}
# bare_once MODE [OPTION...]: the same client at a server that does nothing but what it must, or not even that
bare_once() {
	mode=$1
	shift
	raw_new
	# shellcheck disable=SC2086 # a word or none
	rawserve "$RAW" $mode >"$W/bare" &
	DOOR_PID=$!
	for _ in $(seq 100); do
		[ -s "$W/bare" ] && break
		sleep 0.05
	done
	start=$(date +%s%N)
	source_mail "$(cat "$W/bare")" "$@"
	since "$start"
	serve_end
	rm -f "$W/bare"
}
# In, through the queue, and out to a sink that throws away
through_once() {
	queue_new
	serve
	smtp-deliver -C "$W/conf" --queue "$Q" --follow --relay "127.0.0.1:$SINK" 2>/dev/null &
	FOLLOW_PID=$!
	sleep 0.5
	start=$(date +%s%N)
	source_mail "$DOOR" -d
	while [ "$(left)" -gt 0 ]; do sleep 0.02; done
	since "$start"
	kill $FOLLOW_PID && wait $FOLLOW_PID
	FOLLOW_PID=
	serve_end
}
postfix_serve() {
	postfix_new 'defer_transports = smtp' || return
	start=$(date +%s%N)
	source_mail "$POSTFIX_PORT" "$@"
	RATE=$(since "$start")
	postfix_stop
}
postfix_through() {
	port=$(free_port)
	postfix_new "relayhost = [127.0.0.1]:$port" 'default_destination_concurrency_limit = 20' || return
	in_postfix smtp-sink -u $POSTFIX_USER -M "$SERVE" "127.0.0.1:$port" 200 &
	peer=$!
	sleep 0.5
	start=$(date +%s%N)
	source_mail "$POSTFIX_PORT" -d
	wait $peer
	RATE=$(since "$start")
	postfix_stop
}
# KiB of private memory, of each client's process
idle_kib() {
	mkfifo "$W/hold"
	python3 tests/bench/door.py hold "$DOOR" "$1" <"$W/hold" >"$W/there" &
	hold=$!
	exec 9>"$W/hold"
	for _ in $(seq 600); do
		[ -s "$W/there" ] && break
		sleep 0.1
	done
	for p in $(pgrep -P "$DOOR_PID"); do cat "/proc/$p/smaps_rollup" 2>/dev/null; done |
	    awk '/^Private/ { kib += $2 } /^Rss/ { n++ } END { printf "%.0f\n", n == '"$1"' ? kib / n : -1 }'
	exec 9>&-
	wait $hold
	rm -f "$W/hold"
}
row_serve() {
	row_door
	[ -x "$PEERS/postfix/usr/sbin/smtp-source" ] || return
	config 'serve { networks = "127.0.0.1" messages = 0 clients = 1000 idle_commands = 1000000 }'
	for how in -d ''; do
		say "smtp-serve, smtp-source $how"
		raw=$(best serve_raw)
		# shellcheck disable=SC2086 # an option or none
		ours=$(best serve_once $how)
		# shellcheck disable=SC2086
		postfix_serve $how
		theirs=$RATE
		what='20 connections'
		[ -n "$how" ] || what='a connection each'
		row "$SERVE x 4 KiB into smtp-serve, $what (1/s)" "$ours" "$raw" "$theirs" \
		    "$(percent "$ours" "$raw") $(ratio "$ours" "$theirs")" '>= 80% of create+link+fsync, >= x 4 Postfix' \
		    "$(holds "$ours >= 0.8 * $raw" "$ours >= 4 * $theirs ")"
		# shellcheck disable=SC2086
		bare=$(best bare_once '' $how)
		# shellcheck disable=SC2086
		client=$(best bare_once nofile $how)
		row '  beside a bare server: fork, link, fsync, 250' "$ours" "$bare" - "$(percent "$ours" "$bare")" \
		    "the same client; itself $(percent "$bare" "$raw") of them" ''
		row '  beside one that keeps nothing' "$ours" "$client" - "$(percent "$ours" "$client")" \
		    'what the client can do here' ''
	done
	sink
	ours=$(best through_once)
	postfix_through
	theirs=$RATE
	row "$SERVE in by smtp-serve, out by --follow (1/s)" "$ours" - "$theirs" "$(ratio "$ours" "$theirs")" \
	    '>= x 5 Postfix' "$(holds "$ours >= 5 * $theirs ")"
	sink_end
}
row_door() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bench.example \
	    -keyout "$W/door.key" -out "$W/door.pem" 2>/dev/null
	echo pencil | smtp-passwd --users "$W/users" add --keys scram-sha-256 ann
	config "serve { networks = \"127.0.0.1\" users = \"$W/users\" clients = 2000 }" \
	    "certificate \"1\" { cert = \"$W/door.pem\" key = \"$W/door.key\" }" 'listen "tls" { tls = implicit }'
	queue_new
	serve
	kib=$(idle_kib 1000)
	serve_end
	row '1,000 idle clients, private memory each (KiB)' "$kib" - - - '< 2048' "$(holds "$kib > 0" "$kib < 2048")"
	serve --as tls
	raw=$(least python3 tests/bench/door.py shake "$DOOR" "$LATENCIES")
	ours=$(least python3 tests/bench/door.py login "$DOOR" "$LATENCIES")
	serve_end
	row 'a TLS login, beside the handshake alone (ms)' "$ours" "$raw" - "$(ratio "$ours" "$raw")" \
	    '< x 3 the handshake' "$(holds "$ours < 3 * $raw")"
}
