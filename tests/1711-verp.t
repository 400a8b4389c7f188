#!/bin/sh
# Return paths that carry their recipient and a proof: one transaction a recipient, bounces that need no
# reading, forged ones that are believed by nobody.
. "$(dirname "$0")/lib.sh"
need python3

RELAYKIT_QUEUE=$T/q
RELAYKIT_CONFIG=$T/conf
export RELAYKIT_QUEUE RELAYKIT_CONFIG
mkdir "$T/q"
bg smtp-trap --listen 127.0.0.1:0 --port-file "$T/port" --json >>"$T/trap.out"
until_true 40 test -s "$T/port"
# configure TEXT
configure() {
	printf 'hostname = "h.example"\ndomain = "h.example"\nroute "*" { relay = "127.0.0.1:%s" }\n%s\n' \
	    "$(cat "$T/port")" "$1" >"$T/conf"
}
# send OPTION... ADDRESS...: submitted and delivered; from and to of each transaction of it
send() {
	: >"$T/trap.out"
	printf 'Subject: x\n\nhello\n' | smtp-submit -odq "$@" && smtp-deliver --now >"$T/out" 2>"$T/err"
	until_true 40 grep -q '"disconnected"' "$T/trap.out"
	python3 -c '
import json, sys
for line in open(sys.argv[1]):
    e = json.loads(line)
    if e["type"] == "transaction":
        print(e["mail"], ",".join(r["rcpt"] for r in e["rcpts"]))' "$T/trap.out" | sort -k 2
}
configure ''
is "$(send -f news@h.example bob@x.example cy@x.example)" 'news@h.example bob@x.example,cy@x.example' \
    'without, one transaction has both'
is "$(send -XV -f news@h.example bob@x.example cy@x.example | sed 's/+b[0-9a-z]\{16\}-/+TAG-/')" \
    'news+TAG-bob=x.example@h.example bob@x.example
news+TAG-cy=x.example@h.example cy@x.example' 'with -XV, one each'
is "$(stat -c %a "$T/q/state/key")" 600 'a key was made'
is "$(send -XV+= -f news@h.example bob@x.example | grep -c 'news+b')" 1 "Postfix's delimiters"
fails 'others' 64 'smtp-submit: -XV-=: the delimiters are "+" and "="' smtp-submit -XV-= bob@x.example
is "$(send -X /dev/null -f news@h.example bob@x.example)" 'news@h.example bob@x.example' "sendmail's -X means nothing"
is "$(send -XV -f '<>' bob@x.example)" ' bob@x.example' 'a null sender stays one'
local46=$(printf '%046d' 0) local47=$(printf '%047d' 0)
is "$(send -XV -f "$local46@h.example" bob@x.example | sed 's/+c[0-9a-z]\{16\}@/+PROOF@/')" \
    "$local46+PROOF@h.example bob@x.example" 'where there is no room for a name there is a proof'
is "$(send -XV -f "$local47@h.example" bob@x.example)" "$local47@h.example bob@x.example" 'and where there is none for that, nothing'
is "$(send -XV -f '"a b"@h.example' bob@x.example)" '"a b"@h.example bob@x.example' 'nor with quotes'
configure 'stream "bulk" { verp = yes }'
is "$(send -f news@h.example bob@x.example | grep -c +b) $(send -O stream=bulk -f news@h.example bob@x.example | grep -c +b)" \
    '0 1' 'by stream'
configure 'verp = yes
stream "bulk" { verp = no }'
is "$(send -f news@h.example bob@x.example | grep -c +b) $(send -O stream=bulk -f news@h.example bob@x.example | grep -c +b)" \
    '1 0' 'for all but one'

# --- some of many are refused, some later
send -f news@h.example a@x.example reject-550@x.example defer-450@x.example b@x.example c@x.example >"$T/sent"
is "$(python3 -c '
import json, sys
for line in open(sys.argv[1]):
    e = json.loads(line)
    for r in e["rcpts"] if e.get("mail", "").startswith("news+") else []:
        print(e["outcome"], r["rcpt"], e["mail"].split("-", 1)[1] == r["rcpt"].replace("@", "=") + "@h.example")' "$T/trap.out" |
    grep accepted | sort -u)" 'accepted a@x.example True
accepted b@x.example True
accepted c@x.example True' 'each by itself, with its own path'
is "$(cat "$T"/q/log/*.jsonl | grep '"type":"delivered"' | grep -c '"recipient":"[abc]@x.example"')" 3 'once each'

rm -rf "$T"/q/new/* "$T"/q/cur/* "$T"/q/state/suppress

# --- the proof by somebody else's hand: HMAC-SHA-256, its first 60 bits in base 32
path=$(send -f News@H.example Bob@x.example | cut -d ' ' -f 1)
is "$path" "$(python3 -c '
import hmac, struct, sys
key = bytes.fromhex(open(sys.argv[1]).read())
day = sys.argv[2].split("+b", 1)[1][:4]
a = b"return path %s news@h.example" % day.encode()
n = int.from_bytes(hmac.digest(key, struct.pack("<Q", len(a)) + a + b"bob@x.example", "sha256")[:8], "big") >> 4
proof = "".join("0123456789abcdefghjkmnpqrstvwxyz"[n >> 5 * i & 31] for i in reversed(range(12)))
print("News+b%s%s-Bob=x.example@H.example" % (day, proof))' "$T/q/state/key" "$path")" 'is the same'

# --- what comes back
path=$(send -f news@h.example bob@x.example | cut -d ' ' -f 1)
# bounce PATH TEXT: in words nobody has rules for, but from a mailer
bounce() {
	printf 'From: MAILER-DAEMON@mx.example\nTo: <%s>\nSubject: Mail delivery failed: returning message to sender\n\n%s\n' "$1" "$2"
}
# facts [OPTION...]: recipient, who is named, what is thought of the path
facts() {
	bounce-parse --queue "$T/q" "$@" 2>/dev/null | python3 -c '
import json, sys
for line in sys.stdin:
    e = json.loads(line)
    print(e["recipient"], e.get("actual_recipient"), e.get("return_path"))'
}
words='This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:
'
is "$(bounce "$path" "$words" | facts)" 'bob@x.example None proved' 'a bounce that names nobody'
is "$(bounce "$path" "$words
  robert@internal.example
    Unrouteable address" | facts)" 'bob@x.example robert@internal.example proved' 'or another'
is "$(bounce "$(echo "$path" | tr a-z A-Z)" "$words" | facts)" 'BOB@X.EXAMPLE None proved' 'in capitals'
is "$({ echo "Delivered-To: $path"; bounce postmaster@h.example "$words"; } | facts)" 'bob@x.example None proved' \
    'the path is in another field'
forged=$(echo "$path" | sed 's/-bob=/-cy=/')
is "$(bounce "$forged" "$words
  cy@x.example
    Unrouteable address" | facts)" 'cy@x.example None forged' 'for another recipient'
is "$(bounce "$(echo "$path" | sed 's/news/nows/')" "$words
  bob@x.example
    Unrouteable address" | facts)" 'bob@x.example None forged' 'from another sender'
bounce "$path" "$words
  bob@x.example
    Unrouteable address" >"$T/b"
is "$(LD_PRELOAD=$BUILD/faults/clockshift CLOCKSHIFT=$((62 * 86400)) bounce-parse --queue "$T/q" "$T/b" |
    grep -o '"return_path":"[a-z]*"')" '"return_path":"expired"' '62 days later'
is "$(LD_PRELOAD=$BUILD/faults/clockshift CLOCKSHIFT=$((58 * 86400)) bounce-parse --queue "$T/q" "$T/b" |
    grep -o '"return_path":"[a-z]*"')" '"return_path":"proved"' '58 days later'
short=$(send -f "$local46@h.example" bob@x.example | cut -d ' ' -f 1)
is "$(bounce "$short" "$words
  bob@x.example
    Unrouteable address" | facts)" 'bob@x.example None proved' 'a proof alone, and the right name'
is "$(bounce "$short" "$words
  cy@x.example
    Unrouteable address" | facts)" 'cy@x.example None unproved' 'and the wrong one'
mkdir "$T/other"
is "$(bounce "$path" "$words
  bob@x.example
    Unrouteable address" | bounce-parse --queue "$T/other" | grep -o '"return_path":"[a-z]*"')" \
    '"return_path":"forged"' 'with another key nothing is proved'
is "$(bounce "$path" "$words
  bob@x.example
    Unrouteable address" | bounce-parse | grep -c return_path)" 0 'and without a queue nothing is asked'

# --- the key in a place of its own, which hosts can share
cp "$T/conf" "$T/conf.was"
configure "verp = yes
key_file = \"$T/shared.key\""
shared=$(send -f news@h.example bob@x.example | cut -d ' ' -f 1)
is "$(stat -c %a "$T/shared.key") $(tr -d 0-9a-f <"$T/shared.key" | tr -d '\n' | wc -c) $(wc -c <"$T/shared.key")" '600 0 65' \
    'key_file is made, with 64 digits'
is "$(bounce "$shared" "$words" | facts -C "$T/conf")" 'bob@x.example None proved' 'and proves'
is "$(bounce "$shared" "$words" | bounce-parse -C "$T/conf" --queue "$T/other" | grep -o '"return_path":"[a-z]*"')" \
    '"return_path":"proved"' 'with any queue'
cp "$T/conf.was" "$T/conf"
is "$(bounce "$shared" "$words
  bob@x.example
    Unrouteable address" | facts)" 'bob@x.example None forged' 'which the key of this one does not'
chmod 640 "$T/shared.key"
configure "verp = yes
key_file = \"$T/shared.key\""
like "$(bounce "$shared" "$words" | bounce-parse --queue "$T/q" 2>&1 >/dev/null)" 'shared.key' 'one that others can read is not used'
cp "$T/conf.was" "$T/conf"

# --- applied
listed() {
	suppress list | cut -f 1,3 | tr '\t' ' '
}
bounce "$forged" "$words
  cy@x.example
    550 5.1.1 User unknown" | bounce-parse --apply >/dev/null
is "$(listed)$(grep -c '"type":"returned"' "$T"/q/log/*.jsonl)" 0 'a forged one changes nothing'
bounce "$path" "$words
  robert@internal.example
    550 5.1.1 User unknown" | bounce-parse --apply >/dev/null
is "$(listed)" 'bob@x.example bounce' 'a proved one is about him who was mailed'
configure 'verp = yes
suppress { proof = yes }'
bounce news@h.example "$words
  dan@x.example
    550 5.1.1 User unknown" | bounce-parse --apply >/dev/null
is "$(listed)" 'bob@x.example bounce' 'with proof = yes any other is not believed'
bounce "$path" "$words
  bob@x.example
    550 5.1.1 User unknown

  eve@x.example
    550 5.1.1 User unknown" >"$T/two"
is "$(facts <"$T/two" | cut -d ' ' -f 1 | tr '\n' ' ')" 'bob@x.example eve@x.example ' 'a path to one, and a bounce about two'
bounce-parse --apply "$T/two" >/dev/null
is "$(listed)" 'bob@x.example bounce' 'who got one proof cannot have others put on the list with it'
configure 'verp = yes'
bounce-parse --apply "$T/two" >/dev/null
is "$(listed | sort | tr '\n' ' ')" 'bob@x.example bounce eve@x.example bounce ' 'but where no proof is asked for'
done_testing
