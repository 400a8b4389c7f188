# lib.sh - what every shell test begins with:  . "$(dirname "$0")/lib.sh"
#
# A directory of its own in $T (removed at the end), our utilities first on PATH,
# TAP by ok, is, fails and friends, done_testing at the end.  Nothing sleeps: until
# waits for a condition with a deadline.  Background processes started by `bg` end with the test.

set -u
TOP=$(cd "$(dirname "$0")/.." && pwd)
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$TOP/$BUILD ;; esac
PATH=$BUILD/bin:$BUILD/faults:$PATH
export PATH BUILD TOP
unset RELAYKIT_CONFIG RELAYKIT_QUEUE XDG_CONFIG_HOME XDG_STATE_HOME
LC_ALL=C
export LC_ALL
PYTHONDONTWRITEBYTECODE=yes # beside what it imports, which is the source
export PYTHONDONTWRITEBYTECODE
# clockshift is loaded before a sanitizer, which it does not disturb.
ASAN_OPTIONS=verify_asan_link_order=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}
export ASAN_OPTIONS
T=$(mktemp -d "${TMPDIR:-/tmp}/relaykit-test.XXXXXX") || exit 1
HOME=$T
export HOME T
tap_n=0
tap_bad=0
bg_pids=

cleanup() {
	for p in $bg_pids; do kill "$p" 2>/dev/null; done
	for p in $bg_pids; do wait "$p" 2>/dev/null; done
	rm -rf "$T"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

# skip_all REASON: no test of this file can run here
skip_all() {
	echo "1..0 # SKIP $*"
	exit 0
}

# need COMMAND...: skips the file where one is missing
need() {
	for c; do
		command -v "$c" >/dev/null 2>&1 || skip_all "$c is not here"
	done
}

# sanitized: the programs are built with a sanitizer, whose memory and time are not theirs
sanitized() {
	grep -q '__[at]san_init' "$BUILD/bin/smtp-submit"
}

# result STATUS WHAT: 0 is good
result() {
	tap_n=$((tap_n + 1))
	if [ "$1" -eq 0 ]; then
		printf "ok %d - %s\n" "$tap_n" "$2"
	else
		tap_bad=$((tap_bad + 1))
		printf "not ok %d - %s\n" "$tap_n" "$2"
	fi
	return "$1"
}

# ok WHAT COMMAND...: exits 0
ok() {
	what=$1
	shift
	"$@" >"$T/.out" 2>"$T/.err"
	rc=$?
	result $rc "$what" || { echo "# exit $rc: $*"; sed 's/^/# /' "$T/.out" "$T/.err"; return 1; }
}

# is GOT WANT WHAT: the same text
is() {
	[ "$1" = "$2" ]
	result $? "$3" || { printf '%s\n' "$1" | sed 's/^/#  got /'; printf '%s\n' "$2" | sed 's/^/# want /'; return 1; }
}

# like TEXT PATTERN WHAT: an extended regular expression matches
like() {
	printf '%s\n' "$1" | grep -Eq -e "$2"
	result $? "$3" || { printf '%s\n' "$1" | sed 's/^/#  got /'; echo "# want $2"; return 1; }
}

# fails WHAT CODE STDERR COMMAND...: that exit code, and stderr is exactly that text
fails() {
	what=$1 want=$2 text=$3
	shift 3
	"$@" >"$T/.out" 2>"$T/.err"
	rc=$?
	got=$(cat "$T/.err")
	[ "$rc" -eq "$want" ] && [ "$got" = "$text" ]
	result $? "$what" || { echo "#  got exit $rc, want $want"; printf '%s\n' "$got" | sed 's/^/#  got /'; printf '%s\n' "$text" | sed 's/^/# want /'; return 1; }
}

# until SECONDS COMMAND...: tries every 20 ms until it exits 0, or the time is over
until_true() {
	limit=$(($(date +%s) + $1))
	shift
	while ! "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt "$limit" ] || return 1
		sleep 0.02
	done
}

# bg COMMAND...: in the background, ended with the test; its pid is $!
bg() {
	"$@" &
	bg_pids="$bg_pids $!"
}

# trap_start [OPTIONS]: smtp-trap on a port of its own, messages as maildir in $T/trap/new; PORT is set
trap_start() {
	rm -f "$T/port"
	bg smtp-trap --listen 127.0.0.1:0 --port-file "$T/port" --maildir "$T/trap" "$@"
	trap_pid=$!
	until_true 40 test -s "$T/port" || { echo "Bail out! smtp-trap did not start"; exit 1; }
	PORT=$(cat "$T/port")
}

# trap_run OPTIONS...: smtp-trap with these options alone, standard output in $T/out; PORT and PID are set
trap_run() {
	rm -f "$T/port"
	smtp-trap --listen 127.0.0.1:0 --port-file "$T/port" "$@" >"$T/out" 2>"$T/err" &
	PID=$!
	bg_pids="$bg_pids $PID"
	until_true 40 test -s "$T/port" || { echo 'Bail out! smtp-trap did not start'; exit 1; }
	PORT=$(cat "$T/port")
}
# trap_ends WHAT: by SIGTERM, well, and with nothing to complain of
trap_ends() {
	kill $PID
	wait $PID
	is "$? $(cat "$T/err")" '0 ' "$1"
}

done_testing() {
	echo "1..$tap_n"
	[ "$tap_bad" -eq 0 ]
	exit $?
}
