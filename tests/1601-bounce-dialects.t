#!/bin/sh
# Each mailer's words: tests/data/bounces/dialects.mbox, whose messages say themselves what is expected of them.
. "$(dirname "$0")/lib.sh"

box=$TOP/tests/data/bounces/dialects.mbox
# expected: "message recipient reply status action reason hard dialect" a line
awk '/^From MAILER-DAEMON /{ n++ } /^X-Expect: /{ sub(/^X-Expect: /, ""); print n, $0 }' "$box" >"$T/want"
# found FILE...: the same of what bounce-parse prints
found() {
	bounce-parse "$@" | python3 -c '
import json, sys
for line in sys.stdin:
    r = json.loads(line)
    print(r.get("message", 1), *(r.get(k) or "-" for k in ("recipient", "reply", "status", "action", "reason")),
          str(r["hard"]).lower(), r.get("dialect", "-"))'
}
need python3 awk
found "$box" >"$T/got"
n=1
while grep -q "^$n " "$T/want"; do
	is "$(grep "^$n " "$T/got" || echo "$n none")" "$(grep "^$n " "$T/want")" \
	    "message $n: $(sed -n "s/^$n .* //p" "$T/want" | head -n 1)"
	n=$((n + 1))
done
ok 'there are messages' test "$n" -gt 30
for eol in '\r\n' '\r'; do
	awk -v ORS="$eol" '{ print }' "$box" >"$T/box"
	is "$(found "$T/box" | cmp - "$T/got" && echo same)" same "the same with line ends $eol"
done
done_testing
