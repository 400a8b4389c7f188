#!/bin/sh
# smtp-queue beside a run that delivers: what it says is held is held, and nothing is lost or doubled.
. "$(dirname "$0")/lib.sh"
PATH=$BUILD/helpers:$PATH
RELAYKIT_QUEUE=$T/q
export RELAYKIT_QUEUE
trap_start --latency 20
printf 'connections = 8\nsite_connections = 8\nroute "*" { relay = "127.0.0.1:%s" }\n' "$PORT" >"$T/conf"
RELAYKIT_CONFIG=$T/conf
export RELAYKIT_CONFIG
n=400
printf 'Subject: x\r\n\r\nbody\r\n' >"$T/m"
qput "$T/q" -n $n bob@example.net <"$T/m" | sort >"$T/all"

got() { find "$T/trap/new" -type f 2>/dev/null | wc -l; }
some() { [ "$(got)" -ge 20 ]; }

smtp-deliver >"$T/deliver" 2>&1 &
run=$!
bg_pids="$bg_pids $run"
ok 'a run delivers' until_true 40 some
smtp-queue hold -v --all >"$T/held" 2>"$T/err"
is "$? $(cat "$T/err")" '0 ' 'all that is left is held'
held=$(wc -l <"$T/held")
is "$(smtp-queue count --brief | cut -f1,3 | xargs)" "0 new 0 cur $held hold" 'it is on hold, and nothing else waits'
wait $run
is "$? $(cat "$T/deliver")" '0 ' 'the run ends well'
is "$(($(got) + held))" $n 'the rest was delivered, once'
[ "$held" -gt 0 ] && [ "$held" -lt $n ]
result $? "some of each ($held held)"
smtp-queue release --all
smtp-queue remove -v $(head -3 "$T/held") >"$T/gone"
ok 'another run' smtp-deliver
is "$(got)" $((n - 3)) 'delivers what was released and not removed'
grep -h '"type":"delivered"' "$T"/q/log/*.jsonl | grep -o '"id":"[^"]*"' | cut -d'"' -f4 | sort >"$T/done"
is "$(uniq -d "$T/done")" '' 'none is told twice'
is "$(sort "$T/done" "$T/gone" | comm -3 - "$T/all")" '' 'and each is accounted for'
is "$(cat "$T"/q/log/*.jsonl | grep -c '"type":"accepted"')" $n 'each was accepted once'
done_testing
