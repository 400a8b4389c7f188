#!/bin/sh
# dkim-keygen: keys and their records, what is published, and the steps from one key to the next.
. "$(dirname "$0")/lib.sh"
need openssl
cd "$T" || exit 1
umask 022

# --- a key and its record, read by others
ok 'RSA' sh -c 'dkim-keygen -d example.com -s r -o r.pem >r.zone'
is "$(stat -c '%a %s' r.pem | cut -d' ' -f1)" 600 'for its owner alone, whatever the umask'
ok 'openssl reads it' openssl pkey -in r.pem -noout
is "$(openssl pkey -in r.pem -noout -text | head -1)" 'Private-Key: (2048 bit, 2 primes)' '2,048 bits'
is "$(grep -o '"[^"]*"' r.zone | tr -d '"\n')" \
    "v=DKIM1; k=rsa; p=$(openssl pkey -in r.pem -pubout -outform DER | base64 -w0)" 'the record has its public key'
is "$(grep -o '"[^"]*"' r.zone | awk '{ if (length($0) - 2 > 255) print }')" '' 'in strings of at most 255 bytes'
like "$(cat r.zone | tr -d '\n')" '^r\._domainkey\.example\.com\. IN TXT \(' 'as a zone file has it'
ok 'Ed25519' sh -c 'dkim-keygen -d example.com -s e -a ed25519-sha256 --flags y:s -o e.pem >e.zone'
is "$(cat e.zone)" "e._domainkey.example.com. IN TXT \"v=DKIM1; k=ed25519; t=y:s; p=$(
    openssl pkey -in e.pem -pubout -outform DER | tail -c 32 | base64 -w0)\"" 'its record, RFC 8463 4.2'
is "$(dkim-keygen -d example.com -s e -k e.pem --record --flags y:s)" "$(cat e.zone)" 'the record again'
is "$(openssl genrsa -traditional 2048 2>/dev/null >t.pem; chmod 600 t.pem; dkim-keygen -d example.com -s t -k t.pem --record |
    grep -o '"[^"]*"' | tr -d '"\n')" "v=DKIM1; k=rsa; p=$(openssl pkey -in t.pem -pubout -outform DER | base64 -w0)" \
    'of a key that another made'
ok 'international domains' sh -c 'dkim-keygen -d bücher.example -s s -a ed25519-sha256 -o b.pem | grep -q "^s._domainkey.xn--bcher-kva.example. "'
PW=secret
export PW
ok 'encrypted' sh -c 'dkim-keygen -d example.com -s x -o x.pem --password-env PW >/dev/null'
ok 'which openssl reads' openssl pkey -in x.pem -passin env:PW -noout
head -1 x.pem | grep -q 'ENCRYPTED'
result $? 'and sees'
fails 'an existing file is not touched' 73 'dkim-keygen: r.pem: File exists' dkim-keygen -d example.com -s r -o r.pem
fails 'nor made where there is no directory' 73 'dkim-keygen: no/r.pem: No such file or directory' \
    dkim-keygen -d example.com -s r -o no/r.pem
fails 'a full disk' 75 'dkim-keygen: stdout: No space left on device' sh -c 'dkim-keygen -d example.com -s f -o f.pem >/dev/full'
fails '1023 bits' 64 'dkim-keygen: -b: "1023" is not a number from 1024 to 8192' dkim-keygen -d a.example -s s -b 1023 -o n.pem
fails '8193 bits' 64 'dkim-keygen: -b: "8193" is not a number from 1024 to 8192' dkim-keygen -d a.example -s s -b 8193 -o n.pem
fails '1024 bits' 0 'dkim-keygen: 1024 bits are weak, use 2048 (RFC 8301)' dkim-keygen -d a.example -s s -b 1024 -o n.pem
fails 'no place for it' 64 'dkim-keygen: -o says where a new key goes' dkim-keygen -d a.example -s s
fails 'not a domain' 64 'dkim-keygen: -d: "a;b" is not a domain' dkim-keygen -d 'a;b' -s s -o m.pem
fails 'no domain' 64 'dkim-keygen: which domain? -d says it' dkim-keygen -s s -o m.pem
fails 'a path as selector' 64 'dkim-keygen: -s: "a/b" is not a selector: letters, digits, "-", "_" and dots between them' \
    dkim-keygen -d a.example -s a/b -o m.pem
fails 'steps need a directory' 64 'dkim-keygen: --rotate and --keydir go together' dkim-keygen -d a.example -s s --rotate make

for option in '-a rsa-sha256' '-b 2048'; do
	# shellcheck disable=SC2086
	fails "$option of a key that is there" 64 'dkim-keygen: -a and -b are for a new key' dkim-keygen -d a.example -s s -k e.pem --record $option
done
fails '--flags of what is published' 64 'dkim-keygen: --flags is for a new key and --record' dkim-keygen -d a.example -s s -k e.pem --check --flags y
fails '--wait for another step' 64 'dkim-keygen: --wait is for --rotate switch' dkim-keygen -d a.example -s s --keydir keys --rotate publish --wait 1h
fails '--grace for another step' 64 'dkim-keygen: --grace is for --rotate retire' dkim-keygen -d a.example -s s --keydir keys --rotate switch --grace 1h

# --- what is published
# check WHAT CODE LINE ZONE: of the key e.pem
check() {
	printf '%s\n' "$4" >z
	dkim-keygen -d example.com -s e -k e.pem --check --keys z >out 2>err
	is "$? $(cut -f1,3 out)$(cat err)" "$2 $3" "$1"
}
tab=$(printf '\t')
P=$(openssl pkey -in e.pem -pubout -outform DER | tail -c 32 | base64 -w0)
N=e._domainkey.example.com
check 'the record' 0 "matches$tab" "$N TXT \"v=DKIM1; k=ed25519; p=$P\""
check 'in pieces, in another order' 0 "matches$tab" "$N TXT \"v=DKIM1; p=$(echo "$P" | cut -c1-9)\" \" $(echo "$P" | cut -c10-)\" \"; k=ed25519;n=x\""
check 'only tried' 0 "matches${tab}t=y says that it is only being tried" "$N TXT \"v=DKIM1; t=y; k=ed25519; p=$P\""
check 'revoked' 1 "differs${tab}the record says that the key is revoked" "$N TXT \"v=DKIM1; k=ed25519; p=\""
check 'another kind' 1 "differs${tab}the record is for a key of another kind" "$N TXT \"v=DKIM1; p=$P\""
check 'another key' 1 "differs${tab}the record has another key" "$N TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\""
check 'only sha1' 1 "differs${tab}the record's h= does not allow sha256" "$N TXT \"v=DKIM1; h=sha1; k=ed25519; p=$P\""
check 'not for email' 1 "differs${tab}the record's s= does not allow email" "$N TXT \"v=DKIM1; s=tlsrpt; k=ed25519; p=$P\""
check 'two records' 1 "differs${tab}2 key records: which of them counts is undefined (RFC 6376 3.6.2.2)" \
    "$N TXT \"v=DKIM1; k=ed25519; p=$P\"
$N TXT \"v=DKIM1; k=ed25519; p=\""
check 'none' 1 "absent${tab}does not exist" "other.example A 192.0.2.1"
check 'a server that fails' 75 "unknown${tab}SERVFAIL" "$N SERVFAIL"
check 'nobody answers' 75 "unknown${tab}timed out" "$N TIMEOUT"

# --- rotation
step() {
	s=$1 sel=$2
	shift 2
	dkim-keygen -d example.com -s "$sel" --keydir keys --rotate "$s" --keys zone "$@" 2>&1
}
: >zone
is "$(step publish a)" 'dkim-keygen: no key a has been made for example.com' 'publish before make'
step make a >a.zone
is "$? $(stat -c %a keys/example.com keys/example.com/a.made | tr '\n' ' ')" '0 700 600 ' 'make'
is "$(step make a)" 'dkim-keygen: there is a key a.made already: take another selector' 'not twice'
is "$(step switch a)" 'dkim-keygen: a is not known to be published: publish comes first' 'switch before publish'
is "$(step publish a)" 'dkim-keygen: zone: a._domainkey.example.com: does not exist' 'publish before it is published'
cp a.zone zone
step publish a
is "$? $(ls keys/example.com)" '0 a.seen' 'publish'
ok 'again' step publish a
like "$(step switch a --wait 0)" '^dkim-keygen: a has been seen for [0-9]+ seconds, and resolvers may not know it before 300$' \
    'not before the TTL is over'
touch -d '200 seconds ago' keys/example.com/a.seen
like "$(step switch a --wait 0)" '^dkim-keygen: a has been seen for 20[0-9] seconds' 'still not'
touch -d '310 seconds ago' keys/example.com/a.seen
like "$(step switch a)" '^dkim-keygen: a has been seen for 31[0-9] seconds, and resolvers may not know it before 3600$' \
    'nor before --wait is'
: >zone
is "$(step switch a --wait 0)" 'dkim-keygen: zone: a._domainkey.example.com: does not exist' 'nor when it has gone again'
cp a.zone zone
step switch a --wait 0
is "$? $(ls keys/example.com)" '0 a.pem' 'switch'
printf 'From: x@example.com\n\nb\n' >m
ok 'it signs' sh -c 'dkim-sign --keydir keys <m | grep -q "s=a;"'
ok 'the next' sh -c "dkim-keygen -d example.com -s b --keydir keys --rotate make --keys zone >b.zone"
ok 'one of another kind' sh -c "dkim-keygen -d example.com -s c -a ed25519-sha256 --keydir keys --rotate make --keys zone >c.zone"
ok 'only what is switched to signs' sh -c '[ "$(dkim-sign --keydir keys <m | grep -c "s=[a-z];")" = 1 ]'
cat b.zone c.zone >>zone
step publish b && step publish c
touch -d '2 hours ago' keys/example.com/*.seen
is "$(step switch c)" '' 'one of another kind makes nobody go'
is "$(step switch b)" 'a signs no more' 'one of the same does'
is "$(dkim-sign --keydir keys <m | grep -o 's=[a-z];' | tr '\n' ' ')" 's=b; s=c; ' 'both sign'
like "$(step retire a)" '^dkim-keygen: a has been off for [0-9]+ seconds, and messages may be on their way for 604800$' 'retire too early'
is "$(step retire b)" 'dkim-keygen: b has not been switched off' 'retire what signs'
is "$(dkim-keygen -d example.com --keydir keys --rotate status | cut -f1,2 | tr '\t\n' '= ')" 'a=off b=signs c=signs ' 'status'
is "$(step make a)" 'dkim-keygen: there is a key a.old already: take another selector' 'not under an old name'
touch -d '8 days ago' keys/example.com/a.old
is "$(step retire a)" 'a._domainkey.example.com. IN TXT "v=DKIM1; p="' 'retire gives the record that revokes it'
is "$(ls keys/example.com | tr '\n' ' ')" 'b.pem c.pem ' 'and removes the key'
is "$(step make a)" 'dkim-keygen: zone: a._domainkey.example.com is published already: take another selector' \
    'nor under one that is still published'

# --- a switch that was killed between the new key and the old one
rm -r keys
: >zone
for k in a b; do
	step make $k >>zone
	step publish $k
	touch -d '2 hours ago' keys/example.com/$k.seen
	step switch $k >said
done
mv keys/example.com/a.old keys/example.com/a.pem
is "$(step retire a)" 'dkim-keygen: a has not been switched off' 'interrupted: the old one signs still'
is "$(step switch b) $(ls keys/example.com | tr '\n' ' ')" 'a signs no more a.old b.pem ' 'switch again does what was left'
is "$(step switch b) $?" ' 0' 'and nothing when nothing is'
is "$(step publish b) $?" ' 0' 'nor does publish'
: >zone
is "$(step switch b)" 'dkim-keygen: zone: b._domainkey.example.com: does not exist' 'whose record must be there still'

# --- encrypted keys
rm -r keys
: >zone
echo secret >pw
for k in a b; do
	step make $k --password-file pw >>zone
	step publish $k --password-file pw
	touch -d '2 hours ago' keys/example.com/$k.seen
	step switch $k --password-file pw >said
done
is "$(cat said) $(ls keys/example.com | tr '\n' ' ')" 'a signs no more a.old b.pem ' 'encrypted keys make room, too'
fails 'an unknown step' 64 'dkim-keygen: --rotate: "jump" is none of make, publish, switch, retire, status' \
    dkim-keygen -d example.com -s a --keydir keys --rotate jump --keys zone
done_testing
