#!/bin/sh
# smtp-queue list, count, show, mailq: what is printed, and that nothing from outside drives a terminal.
. "$(dirname "$0")/lib.sh"
need python3
PATH=$BUILD/helpers:$PATH
RELAYKIT_QUEUE=$T/q
export RELAYKIT_QUEUE
TZ=UTC
export TZ
TAB=$(printf '\t')

fails 'nothing without a command' 64 "$(smtp-queue --help)" smtp-queue
fails 'nor with an unknown one' 64 "smtp-queue: \"dance\\x1b\" is no command
$(smtp-queue --help)" smtp-queue "$(printf 'dance\033')"
is "$(smtp-queue list 2>&1)" "smtp-queue: queue $T/q: no such directory" 'no queue is told'
is "$(mailq 2>/dev/null || ln -s "$BUILD/bin/smtp-queue" "$T/mailq" && "$T/mailq" 2>/dev/null)" \
    'Mail queue is empty' 'and is empty'
ok 'and none is made' test ! -e "$T/q"
fails 'nothing to hold there' 66 "smtp-queue: queue $T/q: no such directory" smtp-queue hold --all
[ ! -e "$T/q" ]
result $? 'looking makes no queue'

printf 'Subject: caf\303\251 \033[2J\r\nFrom: a@b.example\r\n\r\nbody\r\n.\r\nend\r\n' >"$T/m"
bytes=$(wc -c <"$T/m")
later=$(($(date +%s) + 600))
a=$(qput "$T/q" bob@example.net <"$T/m")
b=$(qput "$T/q" -s bulk -d + -t "t 1" -D $later alice@example.net carl@example.com <"$T/m")
c=$(qput "$T/q" -f '' -F x@example.net <"$T/m")
d=$(qput "$T/q" -d + "$(printf 'o\033dd\377@example.net')" y@example.org <"$T/m")

is "$(smtp-queue list | cut -f1,2,5-9)" "$a	new	$bytes	mail	0	sender@example.org	bob@example.net
$b	cur	$bytes	bulk	1	sender@example.org	alice@example.net carl@example.com
$d	new	$bytes	mail	0	sender@example.org	o\\x1bdd\\xff@example.net y@example.org" \
    'list: the oldest first, escaped'
is "$(smtp-queue list | cut -f10 | sed -n 2p)" '451 4.3.0 try \x1b[31mlater' 'and the last reply'
is "$(smtp-queue list --brief | cut -f1,2,4-)" "$a	new	$bytes	mail	example.net
$b	cur	$bytes	bulk	+
$d	new	$bytes	mail	+" 'list --brief'
is "$(smtp-queue list --brief | sed -n 2p | cut -f3)" "$(date -u -d @$later +%FT%TZ)" 'due when it is due'
is "$(smtp-queue list --state failed | cut -f1,2,8)" "$c	failed	<>" 'list --state failed'
fails 'a state that is none' 64 'smtp-queue: --state: none of new, cur, hold, failed, sent: "old"' \
    smtp-queue list --state old
for want in "--stream bulk=$b" "--domain example.net=$a $b $d" "--to Alice@Example.NET=$b" \
    "--to @example.org=$d" "--from sender@example.org --stream mail=$a $d" "--from <>=" \
    "$b=$b" "--domain example.com $b=$b" "--older 1h=" "--older 0=$a $b $d"; do
	is "$(smtp-queue list ${want%=*} | cut -f1 | xargs)" "${want##*=}" "list ${want%=*}"
done
is "$(smtp-queue list --brief --to alice@example.net | cut -f1)" "$b" 'list --brief --to opens'
is "$(printf '%s\n' "$b anything" '' "$d" | smtp-queue list --brief - | cut -f1 | xargs)" "$b $d" \
    'ids from standard input, the first word of each line'
is "$(smtp-queue list - </dev/null)" '' 'no ids are none, not all'
fails 'not an id' 64 'smtp-queue: not an id: "x;y"' smtp-queue list 'x;y'
fails 'nor on standard input' 64 'smtp-queue: stdin: not an id: "UPPER"' sh -c \
    'echo UPPER | smtp-queue list -'

# As Postfix 3.7 prints it with enable_long_queue_ids, by its showq_compat.c.
when=$(date -d "$(smtp-queue list | sed -n 2p | cut -f3)" '+%a %b %e %T')
is "$("$T/mailq" | sed -n '1p;/'"$b"'/,/^$/p;$p')" \
    "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------
$b  $(printf %8d "$bytes") $when sender@example.org
                                           (451 4.3.0 try \\x1b[31mlater)
                                               alice@example.net
                                               carl@example.com

-- 0 Kbytes in 3 Requests." 'mailq'
is "$(smtp-queue list --mailq)" "$("$T/mailq")" 'list --mailq is the same'

smtp-queue list --json >"$T/json"
cat >"$T/see.py" <<'PY'
import json, sys
l = [json.loads(x) for x in open(sys.argv[1])]
b = l[1]
assert len(l) == 3
assert set(["queue_name", "queue_id", "arrival_time", "message_size", "forced_expire", "sender",
    "recipients"]) <= set(b)
assert b["queue_name"] == "deferred" and l[0]["queue_name"] == "incoming"
assert b["queue_id"] == sys.argv[2] and b["forced_expire"] is False
assert [r["address"] for r in b["recipients"]] == ["alice@example.net", "carl@example.com"]
assert b["recipients"][0]["delay_reason"] == "451 4.3.0 try \x1b[31mlater"
assert "delay_reason" not in l[0]["recipients"][0]
assert b["state"] == "cur" and b["stream"] == "bulk" and b["tag"] == "t 1" and b["attempts"] == 1
assert isinstance(b["arrival_time"], int) and isinstance(b["message_size"], int)
PY
ok 'list --json has the members of postqueue -j and ours' python3 "$T/see.py" "$T/json" "$b"
ok 'list --brief --json is JSON' sh -c \
    'smtp-queue list --brief --json | python3 -c "import json,sys; [json.loads(l) for l in sys.stdin]"'

is "$(smtp-queue count)" "1	$bytes	new	mail	+
1	$bytes	new	mail	example.net
1	$bytes	cur	bulk	+" 'count'
is "$(smtp-queue count --brief)" "2	$((2 * bytes))	new
1	$bytes	cur
0	0	hold" 'count --brief'
is "$(smtp-queue count --to @example.org)" "1	$bytes	new	mail	+" 'count with a selector'
is "$(smtp-queue count --state failed --json)" \
    "{\"state\":\"failed\",\"stream\":\"mail\",\"domain\":\"example.net\",\"messages\":1,\"bytes\":$bytes}" \
    'count --json'

smtp-queue show --message "$a" >"$T/out"
ok 'show --message is the content, byte for byte' cmp "$T/m" "$T/out"
smtp-queue show "$b" "$c" >"$T/out"
like "$(cat "$T/out")" "^id +$b$" 'show: the id'
like "$(cat "$T/out")" '^sender +<>$' 'the empty sender'
like "$(cat "$T/out")" '^recipient +carl@example.com \(deferred\)$' 'each recipient'
like "$(cat "$T/out")" '^  Subject: café \\x1b\[2J$' 'the headers, escaped'
like "$(cat "$T/out")" '^journal +\{"do":"outcome"' 'the journal'
is "$(grep -c "$(printf '\033')" "$T/out")" 0 'no escape reaches the terminal'
is "$(grep -c '^  body' "$T/out")" 0 'the body is left out'
smtp-queue show --json "$b" >"$T/out"
ok 'show --json' python3 -c 'import json,sys; o=json.load(sys.stdin)
assert o["headers"].endswith("\r\n\r\n") and [l["do"] for l in o["journal"]] == ["outcome", "deferred"]' <"$T/out"
fails 'show what is not there' 66 'smtp-queue: 0123456789abcdef is not in the queue' \
    smtp-queue show 0123456789abcdef
fails 'a full disk is not success' 75 'smtp-queue: stdout: No space left on device' \
    sh -c 'smtp-queue list >/dev/full'

# A message without headers, one that is all header, one whose header ends at a block's end.
e=$(printf '\r\nbody\r\n' | qput "$T/q" e@example.net)
is "$(smtp-queue show "$e" | sed -n '/^headers/,$p')" 'headers' 'no headers at all'
f=$(printf 'A: b\r\n' | qput "$T/q" e@example.net)
is "$(smtp-queue show "$f" | sed -n '/^headers/,$p')" "headers
  A: b" 'nothing but headers'
python3 -c 'import sys; sys.stdout.write("A: " + "x" * 65527 + "\r\n\r\r\n\r\nbody\r\n")' >"$T/big"
g=$(qput "$T/q" e@example.net <"$T/big")
is "$(smtp-queue show "$g" | sed -n '/^headers/,$p' | wc -c)" $((8 + 2 + 65530 + 1 + 2 + 4 + 1 + 1)) \
    'the empty line on the border of two blocks'

# A directory that cannot be read to its end is no empty one.
if faultrun -n true 2>/dev/null; then
	quiet='' n=1
	# (Leaks are not looked for under ptrace.)
	while ASAN_OPTIONS=detect_leaks=0 faultrun -v -r -o getdents64 -e $n EIO smtp-queue count --brief >/dev/null 2>"$T/err"; rc=$?
	    grep -q '^faultrun: ' "$T/err"; do
		[ $rc -eq 75 ] || quiet="$quiet $n"
		n=$((n + 1))
	done
	ok 'each read of a directory was struck' test $n -gt 8
	is "$quiet" '' '... and told'
fi
# --- a journal that a submitter has written by hand: what is no object of ours is text
esc=$(printf '\033')
forged=1795312377.361mxnchny6mb288,mail,25,x.example
for line in '{"do":"held","by":"'"$esc"'[2J"}' '{"do":"held"} ,"x":[]' '{"do":"held","by":"'"$(printf '\302\233')"'31m"}'; do
	rm -f "$T/q/new/$forged"
	forge "$T/q/new/$forged" -k 'Subject: x\r\n\r\nx\r\n' -j "$line" 'sender=<a@x.example>\nrcpt=<b@x.example>\n' 2>/dev/null
	is "$(smtp-queue show --json 361mxnchny6mb288 2>/dev/null | python3 -c 'import json, sys
text = sys.stdin.buffer.read().decode()
print(len(text.splitlines()), [type(l).__name__ for l in json.loads(text)["journal"]], any(c < " " for c in text[:-1]) or any("\x7f" <= c < "\xa0" for c in text))')" \
	    "1 ['str'] False" 'show --json: one object, nothing for a terminal to obey'
done
rm -f "$T/q/new/$forged"

done_testing
