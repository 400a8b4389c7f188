#!/bin/sh
# bounce-parse on a corpus of real bounces with expected results, where it lies beside this tree: how much of it
# agrees, with LF, CRLF and CR line ends, and a list of what does not.
. "$(dirname "$0")/lib.sh"
need python3
corpus=${BOUNCE_CORPUS:-$TOP/../shared/corpus/bounces}
[ -x "$corpus/score.py" ] || corpus=$TOP/../../shared/corpus/bounces
[ -x "$corpus/score.py" ] || skip_all 'no corpus of bounces beside this tree (BOUNCE_CORPUS)'

# The targets, in percent: recipients, enhanced status and reply code, action, reason, hard or soft, type of feedback.
cat >"$T/targets" <<'E'
recipients 99
status 98
reply 98
action 97
reason 96
hard 98
feedback 100
notbounce 100
E
# score.py writes what it converts beside what it reads: that may not be ours.
mkdir "$T/mail"
cp -r "$corpus/mail/." "$T/mail"
chmod -R u+w "$T/mail"
for eol in lf crlf cr; do
	"$corpus/score.py" --data "$T/mail" --expected "$corpus/expected.tsv" --cmd bounce-parse --eol $eol \
	    --misses "$T/misses" >"$T/score.$eol" 2>&1
	while read -r name want; do
		got=$(sed -n "s/^$name  *\([0-9.]*\)%.*/\1/p" "$T/score.$eol")
		ok "$eol: $name $got %, $want is the target" awk "BEGIN { exit !(${got:-0} >= $want) }"
	done <"$T/targets"
	like "$(head -n 1 "$T/score.$eol")" 'killed by signal: 0$' "$eol: nothing died"
	sed 1d "$T/score.$eol" >"$T/only.$eol"
done
ok 'CRLF is no different' cmp "$T/only.lf" "$T/only.crlf"
ok 'CR is no different' cmp "$T/only.lf" "$T/only.cr"
sed 's/^/# /' "$T/only.lf" "$T/misses"
done_testing
