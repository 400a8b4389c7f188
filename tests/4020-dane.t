#!/bin/sh
# What next hops are held to: a signed zone by NSD, Unbound as validating resolver on loopback, traps with
# and without fitting certificates in a namespace of their own.  Where Postfix's posttls-finger is
# there, it says of each host the same.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/peers.sh"

. "$TOP/tests/dane.sh"

post ee.example ta.example old.example bare.example sick.example wrong.example name.example two.example odd.example \
    oddbare.example bogus.example second.example implicit.example self.example force.example casign.example \
    noca.example crypt.example never.example may.example plain cross.plain relay.plain
went ee.example 'delivered DANE-EE 3 1 1' 'DANE-EE, whatever the name in the certificate (RFC 7671 5.1)'
went ta.example 'delivered DANE-TA 2 1 1' 'DANE-TA'
went_like old.example "^deferred 4.7.5 mx-old.example.$NET.12:25.: TLSA records: the certificate expired on 20" 'DANE-TA, expired'
went bare.example "deferred 4.7.4 mx-bare.example[$NET.13:25]: STARTTLS is not offered, and it is demanded by TLSA records" 'no STARTTLS: not in clear'
went_like sick.example "^deferred 4.7.5 mx-sick.example.$NET.14:25.: TLS: TLS handshake: " 'a failed handshake: not in clear'
went wrong.example "deferred 4.7.5 mx-wrong.example[$NET.10:25]: TLSA records: no TLSA record matches the certificate" 'no record matches'
went name.example "deferred 4.7.5 mx-name.example[$NET.11:25]: TLSA records: the certificate is for another name than mx-name.example" 'DANE-TA, another name'
went two.example 'delivered DANE-EE 3 1 1' 'one of two records'
went odd.example 'delivered TLS' 'unusable records: any certificate (RFC 7672 2.2)'
went oddbare.example "deferred 4.7.4 mx-oddbare.example[$NET.13:25]: STARTTLS is not offered, and it is demanded by TLSA records, of which none can be used" 'but not in clear'
went_like bogus.example '^deferred 4.7.5 TLSA records of _25._tcp.mx-bogus.example: .*SERVFAIL' 'bogus records: not at all (RFC 7672 2.1.3)'
went second.example 'delivered DANE-EE 3 1 1' 'the next host of the MX set'
went implicit.example 'delivered DANE-EE 3 1 1' 'an implicit MX'
went self.example 'delivered TLS' 'no records: opportunistic'
went plain 'delivered TLS' 'records of a zone that is not signed are none'
went cross.plain 'delivered TLS' 'nor are those of a host that an unsigned MX names'
went relay.plain "deferred 4.7.5 mx-wrong.example[$NET.10:25]: TLSA records: no TLSA record matches the certificate" \
    'those of a configured relay count (RFC 7672 2.2.2)'
went force.example 'deferred 4.7.5 mx-self.example has no TLSA records that are secure and can be used, and tls = dane' 'tls = dane'
went casign.example 'delivered verified' 'tls = verify'
went noca.example "deferred 4.7.5 mx-self.example[$NET.15:25]: tls = verify: the certificate is self-signed" 'tls = verify, self-signed'
went crypt.example "deferred 4.7.4 mx-bare.example[$NET.13:25]: STARTTLS is not offered, and it is demanded by tls = encrypt" 'tls = encrypt'
went never.example 'delivered clear' 'tls = none'
went may.example 'delivered TLS' 'tls = may looks at nothing'
is "$(find queue/new queue/cur -type f | wc -l)" 11 'what could not go as it must waits'

# --- mx-lookup says the same beforehand
is "$(mx-lookup ee.example)" "10 mx-ee.example $NET.10  dane-ee" 'mx-lookup: DANE-EE'
is "$(mx-lookup ta.example)" "10 mx-ta.example $NET.11  dane-ta" 'DANE-TA'
is "$(mx-lookup 'Somebody <x' 2>&1; echo $?)" '5.1.2 domain "Somebody <x": it has a blank or control character (0x20)
65' 'not a domain'
is "$(mx-lookup user@EE.example.)" "10 mx-ee.example $NET.10  dane-ee" 'a mailbox'
is "$(mx-lookup second.example)" "10 mx-wrong.example $NET.10  dane-ee
20 mx-ee.example $NET.10  dane-ee" 'a line each host'
printf '%s\n' odd.example self.example nowhere.example never.example casign.example implicit.example '' >domains
is "$(mx-lookup <domains; echo $?)" "odd.example	10 mx-odd.example $NET.15  encrypt
self.example	10 mx-self.example $NET.15  may
nowhere.example	5.1.2 MX of nowhere.example: no such domain
never.example	10 mx-ee.example $NET.10  none
casign.example	10 mx-ta.example $NET.11  verify
implicit.example	0 implicit.example $NET.10  dane-ee
	5.1.2 not a domain
68" 'a line each domain, in their order, and the worst code'
is "$(mx-lookup bogus.example >out; echo $?)" 75 'what cannot be found out is temporary'
like "$(cat out)" '^4.7.5 TLSA records of _25._tcp.mx-bogus.example: .*SERVFAIL' 'and says why'
is "$(mx-lookup --site ee.example; mx-lookup --hosts ee.example; mx-lookup --addresses ee.example; mx-lookup --policy ee.example)" \
    "mx-ee.example
10 mx-ee.example
$NET.10
dane-ee" 'parts of it'
is "$(mx-lookup --json ee.example | python3 -c '
import json, sys
a = json.load(sys.stdin)
h = a["hosts"][0]
print(a["query"], a["domain"], a["code"], a["secure"], a["ttl_s"] > 0, h["preference"], h["name"], h["port"], h["addresses"][0], h["secure"], h["policy"], h["tlsa"][0][:6])')" \
    "ee.example ee.example 0 True True 10 mx-ee.example 25 $NET.10 True dane 3 1 1 " 'as JSON'
mx-lookup --explain self.example >out
is "$(sed 's/, [0-9]* s)/)/' out)" "MX self.example: 10 mx-self.example (127.0.0.1, secure)
TXT _mta-sts.self.example: no such name (127.0.0.1, secure)
A+AAAA mx-self.example: $NET.15 (127.0.0.1, secure)
TLSA _25._tcp.mx-self.example: no such name (127.0.0.1, secure)
policy of mx-self.example: may, without TLSA records that are secure
10 mx-self.example $NET.15  may" '--explain: each question, its answer, and what follows'
like "$(mx-lookup --explain plain)" '^policy of mx.plain: may, DANE is off: the MX records are not signed$' 'why DANE is off'
mx-lookup --connect ee.example >out
like "$(sed -n 2p out)" "^    $NET.10:25: TLS1.3 .* DANE-EE 3 1 1$" '--connect: what the host really offers'
like "$(sed -n 3p out)" '^    .*PIPELINING' 'and says to EHLO'
is "$(mx-lookup --connect wrong.example | sed -n 2p)" "    $NET.10:25: TLSA records: no TLSA record matches the certificate" 'or why it would not do'

# --- a resolver that others could stand in front of
smtp-queue remove --all >/dev/null
sed -i "s/^resolver.*/resolver = \"$NET.1\"/" conf
post wrong.example
went wrong.example 'delivered TLS' 'a resolver that is not on loopback: its AD bit is not believed'
sed -i '1i trust_ad = yes' conf
post wrong.example
went_like wrong.example '^deferred 4.7.5 ' 'unless trust_ad says so'

# --- Postfix's own verdict
if [ -x "$finger" ]; then
	finger_ready || skip 'resolv.conf'
	for d in ee ta two implicit; do is "$(judge $d.example)" Verified "posttls-finger: $d is verified"; done
	for d in old wrong name; do like "$(judge $d.example)" "^$UNVERIFIED\$" "posttls-finger: $d is not"; done
	for d in bare sick bogus oddbare; do is "$(judge $d.example)" '' "posttls-finger: $d is not even encrypted"; done
	for d in odd.example self.example plain cross.plain; do
		like "$(judge $d)" 'Untrusted|Anonymous|Trusted' "posttls-finger: $d is encrypted"
	done
	[ $tap_bad -eq 0 ] || sed 's/^/# /' finger.log
else
	result 0 'posttls-finger # SKIP no postfix in build/peers: scripts/peers postfix'
fi
done_testing
