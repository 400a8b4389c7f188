#!/bin/sh
# A clock that jumps to 2030 and back: mail goes on, nothing expires, nothing bounces, nothing waits
# until 2030.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/faults/sweep.sh"
need smtp-submit smtp-queue smtp-deliver smtp-trap

mkdir "$T/letters"
for i in 1 2 3 4 5; do letter $i >"$T/letters/$i"; done
trap_start
printf 'connection_idle = 50ms\nretry_min = 1s\nretry_max = 2s\n' >"$T/conf"
in_2030=$((1900000000 - $(date +%s)))

submit() {
	LD_PRELOAD=$BUILD/faults/clockshift CLOCKSHIFT=$1 smtp-submit --queue "$T/q" -odq -f a@example.org \
		"$3" <"$T/letters/$2"
}
deliver() {
	shift_s=$1
	shift
	LD_PRELOAD=$BUILD/faults/clockshift CLOCKSHIFT=$shift_s smtp-deliver -C "$T/conf" --queue "$T/q" \
		--relay "127.0.0.1:$PORT" --no-sandbox "$@" 2>"$T/said"
}
events() { cat "$T/q/log"/*.jsonl | grep -c "\"type\":\"$1\""; }
received() { ls "$T/trap/new" | wc -l; }

submit 0 1 defer-451@one.example
submit 0 2 b@one.example
deliver 0
is "$? $(received) $(events deferred)" '0 1 1' 'now: one delivered, one deferred'

submit 0 3 c@one.example
deliver "$in_2030" --now
is "$? $(received)" '0 2' 'in 2030 mail is delivered'
is "$(events expired) $(events bounced)" '0 0' 'and nothing expires, though one seems to wait for years'
like "$(cat "$T/said")" 'clock' 'and it is said that the clock is odd'
submit "$in_2030" 4 defer-451@one.example
submit "$in_2030" 5 e@one.example
deliver "$in_2030"
is "$? $(received)" '0 3' 'what was submitted in 2030 is delivered there'

deliver 0 --now
is "$? $(events expired) $(events bounced)" '0 0 0' 'back from 2030: nothing expires'
is "$(entries "$T/q" cur | wc -l)" 2 'both deferred ones wait'
# Their next attempt must come in this century: with waits of 2 s at most they are due at once.
again() {
	before=$(events deferred)
	deliver 0
	[ "$(events deferred)" -ge $((before + 2)) ]
}
ok 'and are tried again in good time' until_true 40 again

# In 2030 deferred, and nobody ran since: the plain run after it finds them.
deliver "$in_2030" --now
ok 'what was deferred in 2030 does not wait for it' until_true 40 again
is "$(events expired) $(events bounced)" '0 0' 'nothing has expired or bounced in all this'

# The clock jumps in the middle of a run, and into the past.
submit 0 3 d@one.example
deliver $((-400 * 86400)) --now
is "$? $(received)" '0 4' 'a clock of last year delivers too'
is "$(events expired) $(events bounced)" '0 0' 'and expires nothing'
done_testing
