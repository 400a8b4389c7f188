# notices.sh - what the tests of notices share:  . "$(dirname "$0")/notices.sh"  after lib.sh
# shellcheck shell=sh
need python3
RELAYKIT_CONFIG=$T/conf
RELAYKIT_QUEUE=$T/q
export RELAYKIT_CONFIG RELAYKIT_QUEUE
case $BUILD in *sanitize* | *tsan*) sandbox=--no-sandbox ;; *) sandbox= ;; esac

# configure LINE...
configure() {
	printf '%s\n' 'hostname = "h.example"' 'domain = "d.example"' 'connection_idle = 50ms' "$@" >"$T/conf"
}
# fresh: nothing has happened yet
fresh() {
	rm -rf "$T/q" "$T"/trap/new/*
}
# letter [OPTIONS] RCPT...
letter() {
	printf 'Subject: lunch\nFrom: a@d.example\nTo: list:;\n\nat noon\n' | smtp-submit -odq -f s@d.example "$@"
}
# deliver [OPTIONS]: one run, which says nothing
deliver() {
	timeout 60 smtp-deliver $sandbox --relay "127.0.0.1:$PORT" "$@" >"$T/run.out" 2>&1
	rc=$?
	[ "$rc$(cat "$T/run.out")" = 0 ] || echo "# smtp-deliver: exit $rc $(cat "$T/run.out")"
}
# later SECONDS: a run then, and one for what it has put into the queue: files have the true time, so that the
# first does not see whether its last look at new/ was too early
later() {
	LD_PRELOAD=$BUILD/faults/clockshift CLOCKSHIFT=$1 deliver --now --no-sandbox
	LD_PRELOAD=$BUILD/faults/clockshift CLOCKSHIFT=$1 deliver --no-sandbox
}
# notices: the files of those that came, in the order of their coming
notices() {
	grep -l '^X-Envelope-From: <>' "$T"/trap/new/* 2>/dev/null
}
# facts: what is in all of them
facts() {
	# shellcheck disable=SC2046 # names without blanks
	python3 "$TOP/tests/notices.py" $(notices)
}
count() { notices | wc -l; }
fact() { facts | sed -n "s/^$1 //p"; }
told() { fact rcpt | sed 's/^rfc822; //; s/|[^|]*| \([a-z]*\) .*/\1/'; }
places() {
	find "$T/q" -type f ! -path '*/log/*' ! -path '*/state/*' | sed "s|^$T/q/||; s|/.*||" | sort | uniq -c | awk '{ print $2, $1 }'
}
trap_start

