# submit.sh - for tests of smtp-submit: a queue and a configuration in $T, and looks into its entries.
# shellcheck shell=sh

RELAYKIT_QUEUE=$T/queue
RELAYKIT_CONFIG=$T/conf
export RELAYKIT_QUEUE RELAYKIT_CONFIG

# configure LINE...: the whole configuration
configure() {
	printf 'hostname = h.example\ndomain = d.example\ndelivery = queue\n' >"$RELAYKIT_CONFIG"
	for l; do echo "$l" >>"$RELAYKIT_CONFIG"; done
}
configure

# entries: how many there are, whatever their names
entries() {
	find "$RELAYKIT_QUEUE/new" -mindepth 1 2>/dev/null | wc -l
}
# fresh: no entries
fresh() {
	rm -rf "$RELAYKIT_QUEUE"
}
# entry: the path of the only one
entry() {
	find "$RELAYKIT_QUEUE/new" -type f
}
# envelope [FILE]: its lines
envelope() {
	f=${1:-$(entry)}
	tail -c +62 "$f" | head -c "$(envelope_bytes "$f")"
}
# message [FILE]: the content
message() {
	f=${1:-$(entry)}
	tail -c +$((62 + $(envelope_bytes "$f"))) "$f"
}
envelope_bytes() {
	head -c 61 "$1" | awk '{ print $3 + 0 }'
}
# flags [FILE]: of the head, "8u-" and so on
flags() {
	head -c 61 "${1:-$(entry)}" | awk '{ print $7 }'
}
# body and header of the message, with LF
body() {
	message "$@" | tr -d '\r' | sed '1,/^$/d'
}
header() {
	message "$@" | tr -d '\r' | sed '/^$/,$d'
}
# refused WHAT CODE STDERR COMMAND...: and nothing is left in the queue
refused() {
	fresh
	fails "$@"
	is "$(entries)" 0 "$1: nothing is left"
}
