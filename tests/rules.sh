# rules.sh - for tests of the SMTP client against scriptpeer.py: a peer that is told what to say, one
# run after the other over a fresh queue, and looks at what both saw.
# shellcheck shell=sh

need python3
RELAYKIT_QUEUE=$T/queue
RELAYKIT_CONFIG=$T/conf
export RELAYKIT_QUEUE RELAYKIT_CONFIG
# Landlock and seccomp know nothing of what a sanitizer does.
case $BUILD in *sanitize* | *tsan*) sandbox=--no-sandbox ;; *) sandbox= ;; esac

# configure LINE...: over a configuration that waits for nobody longer than $wait_s seconds, for content to move
# $block_s and for its answer $final_s: as long as a busy machine may need, less where a peer is to be silent
configure() {
	cat >"$RELAYKIT_CONFIG" <<-E
		hostname = h.example
		domain = d.example
		delivery = queue
		timeout_connect = 20s
		timeout_greeting = ${wait_s:-20}s
		timeout_helo = ${wait_s:-20}s
		timeout_mail = ${wait_s:-20}s
		timeout_rcpt = ${wait_s:-20}s
		timeout_data = ${wait_s:-20}s
		timeout_block = ${block_s:-20}s
		timeout_final = ${final_s:-20}s
		timeout_quit = ${wait_s:-20}s
		timeout_tls = ${wait_s:-20}s
		site_connections = 1
		run_time = 60s
	E
	# Senders are told where that is what a test is about: it has a section of its own.
	case "$*" in *'notices {'*) ;; *) set -- 'notices { bounce = none }' "$@" ;; esac
	for l; do echo "$l" >>"$RELAYKIT_CONFIG"; done
}
configure

# peer_start NAME [OPTIONS]: a peer of that name; its port is in PORT
peer_start() {
	mkdir -p "$T/$1"
	peer=$1
	shift
	bg python3 "$TOP/tests/faults/scriptpeer.py" "$@" "$T/$peer"
	until_true 40 test -s "$T/$peer/port" || { echo "Bail out! the peer did not start"; exit 1; }
	PORT=$(cat "$T/$peer/port")
}

# script [NAME]: what the peer (the only one is "peer") says from now on is on stdin; its log, the
# queue and what came before are forgotten
script() {
	d=$T/${1:-peer}
	rm -f "$d/log" "$d"/*.eml "$d"/*.wire
	cat >"$d/script.new"
	mv "$d/script.new" "$d/script"
	rm -rf "$RELAYKIT_QUEUE"
}

# letter [RCPT...]: a small message into the queue; its id in ID
letter() {
	printf 'From: a@d.example\nTo: list:;\nSubject: x\n\nhello\n' >"$T/letter"
	ID=$(smtp-submit -odq -v -f s@d.example "$@" <"$T/letter" | head -n 1 | cut -d ' ' -f 1)
}

# deliver [OPTIONS]: one run, its exit status is that of smtp-deliver
deliver() {
	timeout 120 smtp-deliver $sandbox --relay "127.0.0.1:$PORT" "$@" >"$T/run.out" 2>&1
}

# run_all WHAT [OPTIONS]: one run that succeeds and says nothing
run_all() {
	what=$1
	shift
	deliver "$@"
	is "$?$(cat "$T/run.out")" 0 "$what"
}

# outcomes: "delivered a@x 1 250 2.0.0 text" a recipient's outcome, in the order they came
outcomes() {
	cat "$RELAYKIT_QUEUE"/log/events-*.jsonl | sed -nE 's/^\{"type":"(delivered|deferred|bounced|expired)".*"recipient":"([^"]*)".*"attempts":([0-9]+).*"response":\{("code":([0-9]+),?)?("enhanced_code":"([^"]*)",?)?("content":"([^"]*)")?\}.*/\1 \2 \3 \5 \7 \9/p'
}

# commands [CONN [NAME]]: what the peer was told, a command a line; without CONN over all connections
commands() {
	sed -nE "s/^\{\"conn\":${1:-[0-9]+},\"is\":\"command\",\"read\":[0-9]+,\"line\":\"(.*)\"\}\$/\1/p" "$T/${2:-peer}/log"
}

# groups [CONN [NAME]]: the same, what came in one read in one line
groups() {
	sed -nE "s/^\{\"conn\":${1:-1},\"is\":\"command\",\"read\":([0-9]+),\"line\":\"(.*)\"\}\$/\1 \2/p" "$T/${2:-peer}/log" |
	    awk '{ n = $1; sub(/^[0-9]+ /, ""); printf "%s%s", NR == 1 ? "" : n == last ? " | " : "\n", $0; last = n } END { print "" }'
}

# messages [NAME]: "CONN BY COMPLETE SENDER RCPT,RCPT" a message
messages() {
	sed -nE 's/^\{"conn":([0-9]+),"is":"message","by":"(.*)","complete":(.*),"bytes":.*,"from":"(.*)","to":\[(.*)\],"file".*/\1 \2 \3 \4 \5/p' "$T/${1:-peer}/log" 2>/dev/null | tr -d '"'
}

# connections [NAME]: how many there were
connections() {
	cat "$T/${1:-peer}/log" 2>/dev/null | grep -c '"is":"open"'
}

# places: what is in the queue, "cur 1" and so on
places() {
	find "$RELAYKIT_QUEUE" -mindepth 1 -type f ! -path '*/log/*' ! -path '*/state/*' |
	    sed -e "s|^$RELAYKIT_QUEUE/||" -e 's|/.*||' | sort | uniq -c | awk '{ print $2, $1 }'
}

# put_off: what was deferred is due at once, and no site is closed
put_off() {
	rm -rf "$RELAYKIT_QUEUE/state/sites"
}

# says SCRIPT... : one message to a peer of this script
says() {
	printf '%s\n' "$@" | script
	letter u@x.example
	begun=$(date +%s%N)
	run_all "$(printf '%s, ' "$@")"
	took=$((($(date +%s%N) - begun) / 1000000))
}
# wait_for REASON: the message waits, and why
wait_for() {
	like "$(outcomes)" "^deferred u@x.example 1 $1" "$what: waits, and why"
	is "$(places)" 'cur 1' "$what: is there"
}
# within MS MS: the run took about so long
within() {
	ok "$what: took $took ms" test "$took" -ge "$1" -a "$took" -lt "$2"
}
