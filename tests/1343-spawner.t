#!/bin/sh
# A run that stays, and whose process that starts programs was killed: it cannot make another.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/local.sh"

# ends WHAT ROUTE...: with those, and no children any more
ends() {
	what=$1
	shift
	fresh
	routes "$@"
	smtp-deliver --follow $sandbox 2>"$T/run.err" &
	run=$!
	bg_pids="$bg_pids $run"
	until_true 40 sh -c "ls -l /proc/$run/fd | grep -q inotify"
	for pid in $(ps -o pid= --ppid $run); do kill -9 "$pid"; done
	ok "$what: it ends" until_true 20 sh -c "! grep -q '^State:.[RSD]' /proc/$run/status"
	kill $run 2>/dev/null
	wait $run
	is "$? $(cat "$T/run.err")" '75 smtp-deliver: the process that starts programs is gone' "$what: and says why"
}
ends 'a program that takes mail' 'mta_sts = no' 'route "x.example" { pipe = "/bin/cat" }'
ends 'a command for a password' 'mta_sts = no' 'route "x.example" { relay = "127.0.0.1:9" user = "u" password_command = "/bin/cat" }'
ends 'policies' 'route "x.example" { relay = "127.0.0.1:9" tls = sts }'
letter u@x.example
routes 'route "x.example" { pipe = "/bin/cat" }'
smtp-deliver --now $sandbox
like "$(outcomes | tail -n 1)" '^delivered u@x.example' 'the next one has another'
done_testing
