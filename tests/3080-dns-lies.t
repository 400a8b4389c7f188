#!/bin/sh
# A name server that lies, stalls and floods (tests/faults/baddns.py): a wrong answer is never
# believed, whatever is wrong is temporary, and no deadline is passed.
. "$(dirname "$0")/lib.sh"
need python3
PATH=$BUILD/helpers:$PATH

# server FILE: another such server; PORT is its port
server() {
	bg python3 "$TOP/tests/faults/baddns.py" "$1"
	until_true 40 test -s "$1" || { echo "Bail out! baddns did not start"; exit 1; }
	PORT=$(cat "$1")
}
server "$T/port2"
SECOND=$PORT
server "$T/port"

now_ms() { echo $(($(date +%s%N) / 1000000)); }
# q MODE [OPTION...]: an answer counts however busy this machine is; SILENCE, where none comes: it is waited out
q() { mode=$1; shift; dnsq -r "127.0.0.1@$PORT" -t 8000 "$@" "$mode.example"; }
SILENCE='-t 400'

GOOD='site mx.good.example
host 10 mx.good.example 25'

# believed MODE WHAT
believed() { is "$(q "$1")" "$GOOD" "$2"; }

believed good 'the truth'
believed upper 'the truth in capitals'
believed late-first 'a wrong id before the truth is waited past'
believed noedns 'FORMERR to EDNS0: asked again without'
believed tc 'truncated: asked again by TCP'
believed tcdrip 'a slow answer by TCP'
believed nullplus 'RFC 7505 3: a null MX beside another is passed over'
believed cname 'a CNAME alone is followed'
believed chain 'a CNAME with its end is believed at once'
believed cnamechain-16 'a chain of 16'
believed drop-1 'a lost datagram is asked for again'

# deferred MODE TEXT WHAT
deferred() {
	wait=
	[ "$2" = 'timed out' ] && wait=$SILENCE
	# shellcheck disable=SC2086
	is "$(q "$1" $wait)" "error 75 4.4.3 MX of $1.example: name server 127.0.0.1: $2" "$3"
}
deferred servfail SERVFAIL 'SERVFAIL'
deferred refused REFUSED 'REFUSED'
deferred notimp NOTIMPL 'NOTIMP, without EDNS0 too'
deferred formerr FORMERR 'FORMERR, without EDNS0 too'
deferred wrongid 'timed out' 'another id is no answer'
deferred wrongname 'timed out' 'another name in the question is no answer'
deferred wrongtype 'timed out' 'another type in the question is no answer'
deferred wrongaddr 'timed out' 'an answer from another port is no answer'
deferred query 'timed out' 'our own question is no answer'
deferred short 'timed out' 'five bytes are no answer'
deferred header 'timed out' 'a header that says all is well is no answer'
deferred garbage 'timed out' 'random bytes are no answer'
deferred silent 'timed out' 'silence'
deferred cut 'malformed answer: answer section incomplete' 'a record cut short'
deferred counts 'malformed answer: answer section incomplete' 'more records announced than there are'
deferred loop 'malformed answer: Invalid compression pointer' 'a name that points to itself'
deferred badvers 'response code 16' 'BADVERS, whose code is in the OPT record'
deferred tctc 'TCP: not an answer to the question' 'truncated by TCP'
deferred tcwrong 'TCP: not an answer to the question' 'a wrong id by TCP'
deferred tcclose 'TCP: connection closed' 'closed by TCP'
deferred lame 'a referral: the server does not recurse' 'a referral'
deferred cnameself 'over 16 CNAMEs in a chain' 'a CNAME to itself'
is "$(q cnamechain-17)" 'error 75 4.4.3 MX of cnamechain-17.example: over 16 CNAMEs in a chain' \
    'a chain of 17'

is "$(q wrongowner)" 'site wrongowner.example
host 0 wrongowner.example 25' 'an MX of another name is not ours'
is "$(q class)" 'site class.example
host 0 class.example 25' 'nor one of another class'
is "$(q badname | sed 1d)" 'host 4 good.example 25' 'host names with spaces, NULs and slashes are passed over'
like "$(q badnames)" '^error 69 5\.4\.4 ' 'nothing but such: there is an MX, and no host'
is "$(q null)" 'error 68 5.1.10 null.example accepts no mail: null MX' 'null MX'
is "$(q chainnx)" 'error 68 5.1.2 MX of chainnx.example: no such domain' 'RFC 6604: the code is of the end'
is "$(q many | grep -c ^host)" 32 'of 500 MX, 32'
is "$(q many -s 5 | sed 1d)" "$(q many -s 5 | sed 1d)" 'the same seed, the same order'

# Deadlines: 0.4 s, and time for a busy machine; a retransmission by itself would end none of these.
for mode in silent wrongid flood tcslow garbage; do
	start=$(now_ms)
	# shellcheck disable=SC2086
	rc=$(q $mode $SILENCE | cut -d' ' -f1-3)
	took=$(($(now_ms) - start))
	is "$rc" 'error 75 4.4.3' "$mode: temporary"
	[ $took -ge 390 ] && [ $took -lt 4000 ]
	result $? "$mode: at the deadline" || echo "# took $took ms"
done
start=$(now_ms)
is "$(dnsq -r "127.0.0.1@$PORT" -t 0 good.example)" \
    'error 75 4.4.3 MX of good.example: timed out' 'no time at all'
is "$(dnsq -r "127.0.0.1@$PORT" -t 500 tcdrip.example | cut -d' ' -f1-3)" 'error 75 4.4.3' \
    'dripping does not stretch the time'
[ $(($(now_ms) - start)) -lt 4000 ]
result $? 'and both were quick'

# Several servers: the first lies, the second does not; what is refused is not asked again.
both() { dnsq -r "127.0.0.1@$PORT,127.0.0.1@$SECOND" -t 8000 "$@"; }
is "$(dnsq -r "127.0.0.1@1,127.0.0.1@$SECOND" -t 1000 good.example)" "$GOOD" \
    'nobody at the first server: the second, at once'
dnsq -r "127.0.0.1@$SECOND" -t 100 drop-1.x.example >/dev/null # the next one it answers
is "$(both -t 2900 drop-1.x.example)" "$GOOD" 'the first is silent: the second'
start=$(now_ms)
like "$(both servfail.example)" 'SERVFAIL$' 'both fail'
[ $(($(now_ms) - start)) -lt 4000 ]
result $? 'and that is known at once'

# Addresses.
addrs() { mode=$1; shift; dnsq -r "127.0.0.1@$PORT" -t 4000 -A -R "*=$mode.example" "$@" x.example | sed 1,2d; }
is "$(addrs good)" 'addr 192.0.2.7:25' 'A and no AAAA'
is "$(addrs v6 -a 2001:db8::77)" 'addr [2001:db8::7]:25
addr 192.0.2.7:25
addr [2001:db8::8]:25
addr 192.0.2.8:25' 'both families in turn, IPv6 first where we have it'
is "$(addrs v6)" 'addr 192.0.2.7:25
addr [2001:db8::7]:25
addr 192.0.2.8:25
addr [2001:db8::8]:25' 'a relay without IPv6 here: IPv4 first'
start=$(now_ms)
is "$(addrs badaaaa)" 'addr 192.0.2.7:25' 'AAAA is never answered'
[ $(($(now_ms) - start)) -lt 3500 ]
result $? 'and half a second is enough for it' || echo "# took $(($(now_ms) - start)) ms"
is "$(addrs nxaaaa)" 'addr 192.0.2.7:25' 'RFC 4074 4.2: NXDOMAIN for AAAA alone is not believed'
is "$(addrs failaaaa)" 'addr 192.0.2.7:25' 'SERVFAIL for AAAA alone does no harm'
is "$(addrs cname)" 'addr 192.0.2.7:25' 'a CNAME alone is followed'
is "$(addrs nodata)" 'none 75 nodata.example has no address' 'a relay without address is temporary'
is "$(addrs nxdomain)" 'none 75 addresses of nxdomain.example: no such host' 'and one that does not exist'
is "$(dnsq -r "127.0.0.1@$PORT" -A nodata.example | sed 1,2d)" \
    'none 68 nodata.example has no address' 'an implicit MX without address is not'
like "$(addrs servfail)" '^none 75 .*SERVFAIL$' 'SERVFAIL is temporary'
is "$(addrs manya | wc -l)" 16 'of 100 addresses, 16'
is "$(addrs loopback)" 'addr 127.0.0.1:25
addr [::1]:25' 'a configured relay may live on loopback'
is "$(dnsq -r "127.0.0.1@$PORT" -A loopback.example | sed 1,2d)" loop 'an MX may not'
is "$(dnsq -r "127.0.0.1@$PORT" -A -R '*=localhost:2525' x.example | sed 1,2d)" 'addr 127.0.0.1:2525
addr [::1]:2525' 'localhost needs no query'
is "$(dnsq -r "127.0.0.1@1" -A -R '*=192.0.2.55:2525' x.example | sed 1,2d)" 'addr 192.0.2.55:2525' \
    'nor does an address'
is "$(dnsq -r "127.0.0.1@1" localhost | cut -d' ' -f1-3)" 'error 69 5.4.6' \
    'mail for localhost comes back to us'

for bad in 127.0.0.1@0 127.0.0.1@65536 127.0.0.1@ 127.0.0.1@x localhost , 127.0.0.1, \
    1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1; do
	dnsq -r "$bad" good.example >"$T/out" 2>"$T/err"
	is $? 78 "resolver \"$bad\" is a mistake in the configuration"
done
done_testing
