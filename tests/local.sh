# local.sh - for tests of deliveries that end on this machine: a queue, routes, and what became of
# each recipient:  . "$(dirname "$0")/local.sh"
# shellcheck shell=sh

RELAYKIT_QUEUE=$T/queue
RELAYKIT_CONFIG=$T/conf
export RELAYKIT_QUEUE RELAYKIT_CONFIG
# Landlock and seccomp know nothing of what a sanitizer does.
case $BUILD in *sanitize* | *tsan*) sandbox=--no-sandbox ;; *) sandbox= ;; esac
mail=$T/mail
mkdir "$mail"

# routes LINE...: the configuration
routes() {
	printf '%s\n' "hostname = h.example" "domain = d.example" "delivery = queue" "retry_min = 1h" \
	    "run_time = 40s" "notices { bounce = none }" "$@" >"$RELAYKIT_CONFIG"
}

# a_maildir NAME...: below $mail
a_maildir() {
	for m; do mkdir -p "$mail/$m/tmp" "$mail/$m/new" "$mail/$m/cur"; done
}

# letter [OPTIONS] RCPT...: a small message into the queue; its id in ID
letter() {
	printf 'From: a@d.example\nTo: list:;\nSubject: x\nDate: Sat, 21 Nov 2026 12:00:00 +0000\nMessage-ID: <1@x>\n\nhello\n' >"$T/letter"
	ID=$(smtp-submit -odq -v -f s@d.example "$@" <"$T/letter" | head -n 1 | cut -f 1)
}

# run_all WHAT [OPTIONS]: one run that succeeds and says nothing
run_all() {
	what=$1
	shift
	timeout 60 smtp-deliver $sandbox "$@" >"$T/run.out" 2>&1
	is "$?$(cat "$T/run.out")" 0 "$what"
}

# outcomes: "delivered a@x 1 2.0.0 text" a recipient's outcome of the log, by recipient; paths and names
# that change from run to run replaced
outcomes() {
	cat "$RELAYKIT_QUEUE"/log/events-*.jsonl | sed -nE 's/\\"/\\x22/g; s/^\{"type":"(delivered|deferred|bounced|expired)".*"recipient":"([^"]*)".*"attempts":([0-9]+).*"response":\{("enhanced_code":"([^"]*)",?)?("content":"([^"]*)")?\}.*/\1 \2 \3 \5 \7/p' |
	    sed -E "s|$T|T|g; s/\\\\x22/'/g; s/as [0-9]+\.Q[0-9a-z]+R/as TIME.QIDR/; s/ *$//" | sort -s -k2,2
}

# fresh: an empty queue
fresh() {
	rm -rf "$RELAYKIT_QUEUE"
}

# places: what is in the queue, "cur 1" and so on
places() {
	find "$RELAYKIT_QUEUE" -mindepth 1 -type f ! -path '*/log/*' ! -path '*/state/*' |
	    sed -e "s|^$RELAYKIT_QUEUE/||" -e 's|/.*||' | sort | uniq -c | awk '{ print $2, $1 }'
}
