#!/bin/sh
# Several hosts, tried in their order until one takes us; what is said when none does; IPv6.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/rules.sh"
peer_start second
second=$PORT
peer_start third
third=$PORT
peer_start peer
first=$PORT
nobody=1 # tcpmux: nothing listens there

# deliver_by HOSTS...: as run_all
deliver_by() {
	deliver --relay "$(echo "$*" | sed -E 's/([0-9]+)/127.0.0.1:\1/g;s/ /,/g')"
	is "$?$(cat "$T/run.out")" 0 "$what"
}

script second <<'E'
E
script <<'E'
E
letter u@x.example
letter v@x.example
what='both work'
deliver_by $first $second
is "$(messages | wc -l) $(connections second)" '2 0' 'the first is the one'

what='the first refuses the connection'
script second <<'E'
E
letter u@x.example
letter v@x.example
deliver_by $nobody $second
is "$(messages second | cut -d ' ' -f 5)" '<u@x.example>
<v@x.example>' 'the second has it'
is "$(outcomes)" 'delivered u@x.example 1 250 2.0.0 queued
delivered v@x.example 1 250 2.0.0 queued' 'in the first attempt'

wait_s=3
configure
for trouble in 'connect 421 4.3.2 no ; close' 'connect 451 4.3.2 no' 'connect 554 5.3.2 no' 'connect 521 no mail here' \
    'connect close' 'connect rst' 'connect hang' 'connect SSH-2.0-x' 'connect raw 220 x\n ; hang' 'EHLO 421 4.3.2 no ; close' \
    'EHLO 451 4.3.2 no' 'EHLO close' 'EHLO hang' 'EHLO 250-a|251 b' 'connect 220 a|220 b'; do
	script second <<'E'
E
	script <<-E
		HELO 554 5.3.2 no
		$(echo "$trouble" | sed -e 's/connect SSH/connect raw SSH/')
	E
	letter u@x.example
	what="the first: $trouble"
	deliver_by $first $second
	is "$(outcomes)" 'delivered u@x.example 1 250 2.0.0 queued' "$trouble: the second takes it in the same attempt"
	is "$(connections)$(connections second)" 11 'each was asked once'
done

wait_s=20
configure

what='EHLO and HELO are refused by the first'
script <<'E'
EHLO 502 5.5.1 what
HELO 502 5.5.1 what
E
script second <<'E'
E
letter u@x.example
deliver_by $first $second
is "$(outcomes)" 'delivered u@x.example 1 250 2.0.0 queued' 'the second takes it'

# A connection that ends where MAIL should be answered is no better than none.
for offer in PIPELINING 'PIPELINING, CHUNKING' 8BITMIME; do
	for trouble in 'MAIL close' 'MAIL rst' 'MAIL 421 4.3.2 no ; close' 'MAIL 421 4.3.2 no ; hang' 'MAIL raw hello\r\n'; do
		script second <<'E'
E
		printf '%s\n' "offer $offer" "$trouble" | script
		letter u@x.example
		letter v@x.example
		what="the first, $offer: $trouble"
		deliver_by $first $second
		is "$(outcomes)" 'delivered u@x.example 1 250 2.0.0 queued
delivered v@x.example 1 250 2.0.0 queued' "$trouble: the second takes both in the same attempt"
		is "$(connections)$(connections second)" 11 'each was asked once'
	done
done
for trouble in 'MAIL 451 4.3.0 not you' 'RCPT close' 'dot close'; do
	script second <<'E'
E
	script <<-E
		offer PIPELINING
		$trouble
	E
	letter u@x.example
	what="the first: $trouble"
	deliver_by $first $second
	is "$(outcomes | cut -d ' ' -f 1-3)$(connections second)" 'deferred u@x.example 10' "$trouble: concerns the message, which waits"
done
what='both close at MAIL'
script second <<'E'
MAIL close
E
script <<'E'
MAIL close
E
for n in 1 2 3 4 5 6 7 8 9; do letter "$n@x.example"; done
deliver_by $first $second
is "$(connections)$(connections second)" 11 'each was asked once'
is "$(outcomes)" 'deferred 1@x.example 1  4.4.2 MAIL: connection closed by peer' 'and the site is given up for now: one attempt for all'
is "$(places)" 'cur 9' 'all wait'

# What none of them can do (here REQUIRETLS) each is asked for once, however many they are.
what='forty of them'
script <<'E'
E
letter -O requiretls=yes u@x.example
deliver_by $(for _ in $(seq 40); do echo $first; done)
is "$(connections)" 40 'each was asked once'
is "$(outcomes | cut -d ' ' -f 1-5)" 'bounced u@x.example 1  5.7.30' 'and none has it'

# A host that is only down for now might: nothing is lost for good before it has said so.
for wish in 'requiretls=yes 4.7.30' 'by=600;R 4.3.3'; do
	for hosts in "$first $nobody" "$nobody $first"; do
		what="${wish% *}, hosts $hosts"
		script <<'E'
E
		letter -O "${wish% *}" u@x.example
		letter -O "${wish% *}" v@x.example
		letter w@x.example
		# shellcheck disable=SC2086 # several
		deliver_by $hosts
		is "$(outcomes | cut -d ' ' -f 1-5 | sort)" "deferred u@x.example 1  ${wish#* }
deferred v@x.example 1  ${wish#* }
delivered w@x.example 1 250 2.0.0" "$what: wait, and nobody else does"
		is "$(messages | cut -d ' ' -f 5)" '<w@x.example>' 'neither has left'
	done
done
why='the server does not know DELIVERBY; another host, which does not work now, might'
for last in '421 4.3.2 later' " 4.3.3 $why"; do
	hosts="$first $second"
	[ "${last#4}" != "$last" ] || hosts="$second $first"
	what="DELIVERBY at one that has no time now, hosts $hosts"
	script <<'E'
E
	script second <<'E'
EHLO 250-second|250 DELIVERBY
MAIL 421 4.3.2 later ; close
E
	letter -O 'by=600;R' u@x.example
	# shellcheck disable=SC2086 # several
	deliver_by $hosts
	is "$(outcomes)" "deferred u@x.example 1 $last" 'the reason of the last'
	is "$(messages)$(messages second)" '' 'it has not left'
	echo 'EHLO 250-second|250 DELIVERBY' >"$T/second/script.new"
	mv "$T/second/script.new" "$T/second/script"
	deliver --now --relay "127.0.0.1:$first,127.0.0.1:$second"
	is "$(outcomes | tail -n 1)" 'delivered u@x.example 2 250 2.0.0 queued' 'and then it has it'
done
what='the other takes no mail at all (RFC 7504)'
script second <<'E'
connect 521 no mail here
E
letter -O 'by=600;R' u@x.example
letter -O 'by=600;R' v@x.example
deliver_by $first $second
is "$(outcomes)" 'bounced u@x.example 1  5.3.3 the server does not know DELIVERBY
bounced v@x.example 1  5.3.3 the server does not know DELIVERBY' 'nobody is left to wait for'

what='every connection is lost in the middle of a message'
script <<'E'
RCPT close
E
for n in 1 2 3 4 5 6 7 8 9; do letter "$n@x.example"; done
deliver_by $first
is "$(connections)" 2 'the second tells that it is not the message'
is "$(places) $(outcomes | wc -l)" 'cur 9 2' 'and all wait'
what='one message makes the peer go away'
script <<'E'
RCPT=5@ close
E
for n in 1 2 3 4 5 6 7 8 9; do letter "$n@x.example"; done
deliver_by $first
is "$(outcomes | cut -d ' ' -f 1 | sort | uniq -c | awk '{ printf "%s ", $1 }')" '1 8 ' 'the others are not held back'

what='all three fail'
script <<'E'
connect 450 4.7.1 from the first
E
script second <<'E'
connect 554 5.7.1 from the second
E
script third <<'E'
connect 451 4.3.2 from the third
E
letter u@x.example
letter v@x.example
deliver_by $first $second $third
like "$(outcomes | head -n 1)" '^deferred u@x.example 1 451 4.3.2 .*127.0.0.1:'$third'.*from the third$' 'the last temporary failure is told'
is "$(outcomes | wc -l)" 1 'the message behind it was not tried: no attempt'
is "$(connections)$(connections second)$(connections third)" 111 'each was asked once'
is "$(places)" 'cur 2' 'both wait'

what='none listens'
script <<'E'
E
letter u@x.example
deliver_by $nobody
is "$(outcomes)" 'deferred u@x.example 1  4.4.1 127.0.0.1[127.0.0.1:1]: connect 127.0.0.1:1: Connection refused' 'the reason'

what='the last refuses the connection'
script <<'E'
connect 554 5.7.1 from the first
E
letter u@x.example
deliver_by $first $nobody
like "$(outcomes)" '^deferred u@x.example 1  4.4.1 .*:1: Connection refused' 'the words of the one before are not told of it'

what='the only host refuses EHLO and HELO'
script <<'E'
EHLO 502 5.5.1 what
HELO 554 5.7.1 not from you
E
letter u@x.example
deliver_by $first
like "$(outcomes)" '^deferred u@x.example 1 554 4\.4\.1 .*: HELO: 554 5\.7\.1 not from you' 'what it was that was refused'

for code in 521 556; do
	what="$code from the only host (RFC 7504)"
	script <<-E
		connect $code no mail here
	E
	letter u@x.example
	deliver_by $first
	like "$(outcomes)" "^bounced u@x.example 1 $code 5\.3\.2 .*: greeting: $code no mail here" "$code: is permanent"
done

# A host that failed is not asked again by each message.
what='twenty messages, the first host is silent'
script <<'E'
connect hang
E
script second <<'E'
E
for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do letter "$n@x.example"; done
wait_s=3
configure 'connection_messages = 2'
begun=$(date +%s)
deliver_by $first $second
wait_s=20
configure
is "$(outcomes | grep -c '^delivered [0-9]*@x.example 1 250')" 20 'all delivered'
is "$(connections)" 1 'it was asked once'

# --- IPv6

if python3 -c 'import socket; socket.socket(socket.AF_INET6).bind(("::1", 0))' 2>/dev/null; then
	peer_start six --listen ::1
	script six <<'E'
E
	letter u@x.example
	deliver --relay "[::1]:$PORT"
	is "$?$(cat "$T/run.out")" 0 'by IPv6'
	is "$(outcomes)" 'delivered u@x.example 1 250 2.0.0 queued' 'delivered'
	like "$(grep -h '"type":"delivered"' "$RELAYKIT_QUEUE"/log/*)" "\"addr\":\"\[::1\]:$PORT\"" 'the address is told with brackets'
	script six <<'E'
E
	letter u@x.example
	deliver --relay "127.0.0.1:1,[::1]:$PORT"
	is "$(outcomes)" 'delivered u@x.example 1 250 2.0.0 queued' 'IPv6 behind IPv4'
	script <<'E'
E
	letter u@x.example
	deliver --relay "[::1]:1,127.0.0.1:$first"
	is "$(outcomes)" 'delivered u@x.example 1 250 2.0.0 queued' 'IPv4 behind IPv6'
else
	echo '# no IPv6 here'
fi
done_testing
