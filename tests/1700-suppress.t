#!/bin/sh
# suppress: the list added to, asked, taken from, carried to another host; many who write at one time.
. "$(dirname "$0")/lib.sh"

Q=$T/q
mkdir "$Q"
RELAYKIT_QUEUE=$Q
RELAYKIT_CONFIG=$T/conf
export RELAYKIT_QUEUE RELAYKIT_CONFIG
: >"$T/conf"
tab=$(printf '\t')
# listed [OPTION...]: without their times
listed() {
	suppress list "$@" | awk -F "$tab" '{ print $1, $2, $3, $4, $6 == "-" ? "for-ever" : "until" }' | sort
}

ok 'an empty list' suppress list
is "$(cat "$T/.out")" '' 'has nobody'
fails 'nobody is on it' 67 'suppress: bob@x.example: not on the list' suppress why bob@x.example
ok 'add' suppress add bob@x.example
is "$(cat "$T/.out" "$T/.err")" '' 'silently'
is "$(listed)" 'bob@x.example manual person * for-ever' 'listed'
is "$(suppress why bob@x.example)" "$(suppress list)" 'why says the same'

# --- which are the same
for same in BOB@X.EXAMPLE Bob@x.Example '"bob"@x.example' '<bob@x.example>' ' bob@x.example '; do
	ok "'$same' is the same" suppress why "$same"
done
for other in bob+a@x.example b.ob@x.example bob@sub.x.example bob@x.example.org '"bob "@x.example'; do
	suppress why "$other" >"$T/.out" 2>"$T/.err"
	is "$?" 67 "'$other' is another"
done
ok 'a domain with an umlaut' suppress add 'Ann@Bücher.example'
ok 'is its A-label' suppress why ann@XN--BCHER-KVA.example
ok 'and a local part with one' suppress add 'jürgen@x.example'
ok 'is itself' suppress why 'jürgen@X.example'
is "$(suppress why 'JÜRGEN@x.example' 2>&1)" 'suppress: JÜRGEN@x.example: not on the list' 'only ASCII letters have no case'

# --- reasons, streams, times
ok 'for a stream' suppress add --reason unsubscribe --stream bulk --source web --note 'by a	click' --for 30d cy@x.example
is "$(suppress why cy@x.example | cut -f 2-4,7)" "unsubscribe${tab}web${tab}bulk${tab}by a click" 'all that was said'
ok 'that stream' suppress why --stream bulk cy@x.example
fails 'another has it not' 67 'suppress: cy@x.example: not on the list' suppress why --stream mail cy@x.example
since=$(suppress why cy@x.example | cut -f 5)
until=$(suppress why cy@x.example | cut -f 6)
is "$(($(date -d "$until" +%s) - $(date -d "$since" +%s)))" 2592000 'thirty days'
is "$(suppress list --json --reason unsubscribe | python3 -c '
import json, sys
e = json.loads(sys.stdin.read())
print(sorted(e), e["active"], e["until"][-1])')" \
    "['active', 'address', 'note', 'reason', 'scope', 'since', 'source', 'until'] True Z" 'as JSON'
is "$(suppress list --json --reason manual | head -1 | python3 -c 'import json,sys; print(json.loads(sys.stdin.read())["until"])')" \
    None 'for ever is null'
is "$(listed --stream bulk | grep -c .)" 4 'a stream has those of all streams, too'
suppress add --for 10d dan@x.example
suppress add --for 5d dan@x.example
suppress add --reason dead --for 20d dan@x.example
is "$(suppress why dan@x.example | cut -f 2)" dead 'the longest stays'
suppress add --reason deader dan@x.example
suppress add --reason deadest dan@x.example
is "$(suppress why dan@x.example | cut -f 2)" deader 'for ever is the longest, and the first of two stays'

# --- what is over
printf 'eve@x.example\tfull\tbounce\t*\t2020-01-01T00:00:00Z\t2020-02-01T00:00:00Z\tthe note\n' | suppress import
is "$(suppress list | grep -c eve)" 0 'what is over is not listed'
is "$(suppress list --all | grep -c eve)" 1 'but with --all'
suppress why eve@x.example >"$T/.out"
is "$? $(grep -c eve "$T/.out")" '67 1' 'and told of by why'

# --- remove
ok 'remove' suppress remove bob@X.example
is "$(suppress list | grep -c bob)" 0 'gone'
fails 'again' 67 'suppress: bob@x.example: not on the list' suppress remove bob@x.example
fails 'one of two' 67 'suppress: nobody@x.example: not on the list' suppress remove nobody@x.example dan@x.example
is "$(suppress list | grep -c dan)" 0 'the other is'
suppress remove cy@x.example 2>"$T/.err"
is "$? $(cat "$T/.err")" '67 suppress: cy@x.example: not on the list' 'for all streams it was not'
ok 'for its stream it was' suppress remove --stream bulk cy@x.example
ok 'added in the same second' suppress add bob@x.example
is "$(suppress list | grep -c bob)" 1 'it is there again'

# --- lists of other hosts
suppress remove bob@x.example
suppress export >"$T/a"
printf 'bob@x.example\tuserunknown\tbounce\t*\t2021-01-01T00:00:00Z\t-\tknown for long\n' >"$T/old"
printf 'fay@x.example\n\n# a comment\ngus@x.example\tcomplaint\n' >"$T/short"
ok 'what was known before a removal' suppress import "$T/old"
is "$(suppress list | grep -c bob)" 0 'does not bring it back'
ok 'addresses alone' suppress import "$T/short"
is "$(listed | grep -E 'fay|gus' | tr '\n' ';')" 'fay@x.example manual import * for-ever;gus@x.example complaint import * for-ever;' \
    'have the rest from the options'
mkdir "$T/q2"
suppress export >"$T/b"
suppress --queue "$T/q2" import "$T/old" "$T/b" "$T/a"
suppress --queue "$T/q2" import "$T/a" "$T/b" "$T/old"
is "$(suppress --queue "$T/q2" export | sort)" "$(suppress export | sort)" 'any order, any number of times: the same'
ok 'tidy' suppress tidy
is "$(suppress --queue "$T/q2" list | sort)" "$(suppress list | sort)" 'changes nothing that counts'
is "$(suppress list --all | grep -c eve)" 0 'and what is over for long is gone'

# --- what makes no sense
fails 'no address' 65 'suppress: address "Bob Lee@x.y": unexpected " "' suppress add 'Bob Lee@x.y'
printf 'hal@x.example\nnot an address\nida@x.example\tNo Word\njon@x.example\tx\ty\tz\tnever\nkim@x.example\n' >"$T/bad"
suppress import "$T/bad" 2>"$T/.err"
is "$?" 65 'some lines'
is "$(cat "$T/.err")" "suppress: $T/bad:2: address \"not an address\": unexpected \" \"
suppress: $T/bad:3: reason \"No Word\": not 1 to 32 of a-z, 0-9 and \"-\"
suppress: $T/bad:4: \"never\" is no time" 'each is told'
is "$(suppress list | grep -cE '^(hal|ida|jon|kim)@')" 2 'and the others are taken'
{ head -c 5000 /dev/zero | tr '\0' a; printf '@x.example\nlea@x.example\n'; } >"$T/long"
suppress import "$T/long" >"$T/.out" 2>&1
is "$? $(suppress list | grep -c lea@)" '65 1' 'a line of 5,000 bytes is one that makes no sense'
fails 'a reason' 64 'suppress: --reason A: not 1 to 32 of a-z, 0-9 and "-" (other than removed)' suppress add --reason A x@y.z
fails 'a file' 66 'suppress: /nonexistent: open: No such file or directory' suppress import /nonexistent
fails 'a queue' 66 "suppress: queue $T/none: no such directory" suppress --queue "$T/none" list
fails 'a command' 64 "suppress: \"grow\" is no command
$(suppress --help)" suppress grow
for bad in '' 'why' 'list x' 'add --all x@y.z' 'import --reason x' 'export --json'; do
	# shellcheck disable=SC2086
	suppress $bad >/dev/null 2>"$T/.err"
	is "$? $(head -c 16 "$T/.err")" '64 usage: suppress ' "suppress $bad"
done 2>/dev/null
ok 'a full disk is told' sh -c "! suppress list >/dev/full 2>/dev/null"

# --- hashed
printf 'suppress { addresses = hash }\n' >"$T/conf"
ok 'add, hashed' suppress add max@x.example
is "$(suppress list | grep -c max)" 0 'the address is nowhere'
is "$(grep -c max "$Q/state/suppress/list")" 0 'not in the file either'
ok 'but it is found' suppress why MAX@x.example
ok 'and so is one from before' suppress why kim@x.example
ok 'who can be removed' suppress remove kim@x.example
fails 'and is not there then' 67 'suppress: kim@x.example: not on the list' suppress why kim@x.example
ok 'nor when addresses are not hashed any more' sh -c "! suppress -C /dev/null why kim@x.example"
like "$(suppress why max@x.example)" '^#[0-9a-f]{32}	manual' 'by its hash'
is "$(stat -c %a "$Q/state/key") $(wc -c <"$Q/state/key")" '600 65' 'its key is its own'
printf 'suppress { addresses = hash }\nkey_file = "%s/key"\n' "$T" >"$T/conf"
fails 'with another key nobody is' 67 'suppress: max@x.example: not on the list' sh -c 'suppress add x@x.x && suppress why max@x.example'
cp "$Q/state/key" "$T/key"
ok 'with a copy of the first it is' suppress why max@x.example
chmod 640 "$T/key"
fails 'a key that others may read' 78 \
    "suppress: suppression list: key $T/key: others than its owner may use it: chmod 600" suppress list
chmod 600 "$T/key"
echo short >"$T/key"
fails 'a key that is none' 78 "suppress: suppression list: key $T/key: not 64 hexadecimal digits" suppress list
: >"$T/conf"

# --- eight write, four read
writer() {
	for i in 1 2 3 4 5 6 7 8 9 10; do
		seq -f "w$1-$i-%.0f@many.example" 40 | suppress add --source "w$1" || echo "writer $1: exit $?" >>"$T/trouble"
	done
}
# Whatever is there stays there.
reader() {
	until [ -e "$T/written" ]; do
		suppress list >"$T/read.$1" || echo "reader $1" >>"$T/trouble"
		n=$(grep -c '^hal@x.example' "$T/read.$1")
		[ "$n" -eq 1 ] || echo "reader $1: hal is there $n times" >>"$T/trouble"
		awk -F "$tab" 'NF != 7 || $5 !~ /Z$/ { print "reader: " $0 }' "$T/read.$1" >>"$T/trouble"
	done
}
: >"$T/trouble"
pids='' readers=''
for r in 1 2 3 4; do
	reader $r &
	readers="$readers $!"
done
for w in 1 2 3 4 5 6 7 8; do
	writer $w &
	pids="$pids $!"
done
# shellcheck disable=SC2086
wait $pids
: >"$T/written"
# shellcheck disable=SC2086
wait $readers
is "$(cat "$T/trouble")" '' 'eight writers and four readers: nobody has trouble'
is "$(suppress list | grep -c @many.example)" 3200 'each of 3,200 entries is there'
is "$(suppress list | cut -f 1 | sort | uniq -d)" '' 'once'
# --- a writer that is waited for keeps nobody else waiting
mkfifo "$T/slow"
bg sh -c 'exec suppress add <"$0"' "$T/slow"
exec 3<>"$T/slow" # never waits for the other end
echo first@slow.example >&3
ok 'one line of input' until_true 40 suppress why first@slow.example
ok 'others write before its next' timeout 40 suppress add other@slow.example
echo second@slow.example >&3
exec 3>&-
ok 'which is written, too' until_true 40 suppress why second@slow.example
done_testing
