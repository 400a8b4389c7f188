#!/bin/sh
# Transactions and connections: too many recipients, 421 at every point, connections used again that are
# no more, limits of both sides.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/rules.sh"
peer_start peer

# delivered RCPT...: each of them once, in the first attempt
delivered() {
	is "$(outcomes | sort)" "$(for r; do echo "delivered $r 1 250 2.0.0 queued"; done | sort)" \
	    "$what: delivered, no attempt spent"
}

# --- too many recipients (RFC 5321 4.5.3.1.10)

for refusal in '452 4.5.3 too many recipients' '452 enough' '552 too many recipients' '552 5.5.3 too many'; do
	for offer in PIPELINING 'PIPELINING, CHUNKING' '8BITMIME'; do
		script <<-E
			offer $offer
			RCPT#3 $refusal
			RCPT#4 $refusal
			RCPT#5 $refusal
			RCPT#8 $refusal
		E
		letter a@x.example b@x.example c@x.example d@x.example e@x.example
		run_all "$refusal, $offer"
		is "$(messages | cut -d ' ' -f 1,3-)" '1 true <s@d.example> <a@x.example>,<b@x.example>
1 true <s@d.example> <c@x.example>,<d@x.example>
1 true <s@d.example> <e@x.example>' 'the rest in new transactions at once'
		delivered a@x.example b@x.example c@x.example d@x.example e@x.example
	done
done

script <<'E'
RCPT 452 4.5.3 too many recipients
E
letter a@x.example b@x.example
run_all '452 where none was taken'
is "$(outcomes)" 'deferred a@x.example 1 452 4.5.3 too many recipients
deferred b@x.example 1 452 4.5.3 too many recipients' 'is a deferral'
is "$(commands | grep -c RCPT)" 2 'and not asked again'

script <<'E'
RCPT=b@ 452 4.2.2 mailbox full
RCPT=c@ 552 5.2.2 mailbox full for good
E
letter a@x.example b@x.example c@x.example
run_all 'a full mailbox'
is "$(outcomes | sort)" 'bounced c@x.example 1 552 5.2.2 mailbox full for good
deferred b@x.example 1 452 4.2.2 mailbox full
delivered a@x.example 1 250 2.0.0 queued' 'is not too many recipients'

# The connection ends between the transactions: the rest goes over a fresh one, and nobody twice.
for ending in 'dot 250 2.0.0 queued ; close' 'MAIL#2 close' 'MAIL#2 rst' 'MAIL#2 421 4.3.2 enough ; close'; do
	for offer in PIPELINING 'PIPELINING, CHUNKING' 8BITMIME; do
		script <<-E
			offer $offer
			RCPT#3 452 4.5.3 too many
			$ending
		E
		letter a@x.example b@x.example c@x.example
		run_all "too many, then $ending, $offer"
		is "$(messages | cut -d ' ' -f 1,3-)" '1 true <s@d.example> <a@x.example>,<b@x.example>
2 true <s@d.example> <c@x.example>' 'the rest over a fresh connection, nobody twice'
		delivered a@x.example b@x.example c@x.example
	done
done

script <<'E'
RCPT#2 452 4.5.3 one is enough
RCPT#3 452 4.5.3 one is enough
RCPT#4 452 4.5.3 one is enough
dot 250 2.0.0 queued ; close
E
letter a@x.example b@x.example c@x.example d@x.example
run_all 'one recipient a connection'
is "$(connections)" 4 'costs as many connections'
delivered a@x.example b@x.example c@x.example d@x.example

# --- LIMITS (RFC 9422)

for n in 1 2 3 4; do
	script <<-E
		offer PIPELINING, LIMITS MAILMAX=10 RCPTMAX=$n
	E
	letter a@x.example b@x.example c@x.example
	run_all "RCPTMAX=$n"
	is "$(messages | wc -l)" "$(((3 + n - 1) / n))" 'no transaction has more'
	delivered a@x.example b@x.example c@x.example
done

script <<'E'
offer PIPELINING, LIMITS MAILMAX=2
E
for n in 1 2 3 4 5; do letter "$n@x.example"; done
run_all 'MAILMAX=2'
is "$(messages | cut -d ' ' -f 1 | uniq -c | awk '{ printf "%s ", $1 }')" '2 2 1 ' 'two messages a connection'
is "$(grep -c '"how":"QUIT"' "$T/peer/log")" 3 'each ended by QUIT'
delivered 1@x.example 2@x.example 3@x.example 4@x.example 5@x.example
script <<'E'
offer PIPELINING, LIMITS MAILMAX=1 RCPTMAX=1
E
letter a@x.example b@x.example c@x.example
run_all 'MAILMAX=1 RCPTMAX=1'
is "$(messages | cut -d ' ' -f 1,5)" '1 <a@x.example>
2 <b@x.example>
3 <c@x.example>' 'one message, one recipient a connection'
delivered a@x.example b@x.example c@x.example

configure 'connection_messages = 2'
script <<'E'
E
for n in 1 2 3; do letter "$n@x.example"; done
run_all 'connection_messages = 2'
is "$(messages | cut -d ' ' -f 1 | uniq -c | awk '{ printf "%s ", $1 }')" '2 1 ' 'two messages over the first connection'
is "$(grep -c '"how":"QUIT"' "$T/peer/log")" 2 'both ended by QUIT'
configure

# --- 421 concerns the connection (RFC 5321 3.8)

for point in connect EHLO MAIL RCPT DATA dot; do
	for offer in PIPELINING 'PIPELINING, CHUNKING' 8BITMIME; do
		case $point,$offer in DATA,*CHUNKING) continue ;; esac
		script <<-E
			offer $offer
			$point 421 4.3.2 shutting down ; close
			--
			offer $offer
		E
		letter u@x.example v@x.example
		run_all "421 at $point, $offer"
		like "$(outcomes | tr '\n' '|')" \
		    '^deferred u@x.example 1 421 4.3.2 [^|]*shutting down\|deferred v@x.example 1 421 4.3.2 [^|]*shutting down\|$' \
		    'all wait'
		is "$(connections)" 1 'the connection is not used again'
	done
done

script <<'E'
offer PIPELINING
RCPT=a@ 550 5.1.1 no such user
RCPT=c@ 421 4.3.2 enough ; close
E
letter a@x.example b@x.example c@x.example d@x.example
run_all '421 among the recipients'
is "$(outcomes)" 'bounced a@x.example 1 550 5.1.1 no such user
deferred b@x.example 1 421 4.3.2 enough
deferred c@x.example 1 421 4.3.2 enough
deferred d@x.example 1 421 4.3.2 enough' 'who was refused before stays so, all others wait'

# 421, and then the peer neither closes nor says more.
for point in connect EHLO MAIL RCPT DATA dot; do
	script <<-E
		offer PIPELINING
		$point 421 4.3.2 shutting down ; hang
	E
	letter u@x.example v@x.example
	begun=$(date +%s%N)
	run_all "421 at $point and silence"
	like "$(outcomes | head -n 1)" '^deferred u@x.example 1 421 4.3.2' 'waits'
	ok 'and nobody waits for more' test $((($(date +%s%N) - begun) / 1000000)) -lt 19000
done

# --- a connection used again that is no more

for ending in 'dot#1 250 2.0.0 queued ; close' 'dot#1 250 2.0.0 queued ; rst' 'MAIL#2 close' 'MAIL#2 rst' \
    'dot#1 250 2.0.0 queued ; 421 4.4.2 idle ; close' 'MAIL#2 421 4.4.2 idle too long ; close' \
    'MAIL#2 421 4.4.2 idle too long ; rst' 'dot#1 250 2.0.0 queued|250 2.0.0 once more'; do
	for offer in PIPELINING 'PIPELINING, CHUNKING' 8BITMIME; do
		script <<-E
			offer $offer
			$ending
			--
			offer $offer
		E
		letter u@x.example
		letter v@x.example
		run_all "$ending, $offer"
		is "$(messages | cut -d ' ' -f 1,3-)" '1 true <s@d.example> <u@x.example>
2 true <s@d.example> <v@x.example>' 'the second message at once over a fresh connection'
		delivered u@x.example v@x.example
	done
done

# With RSET first, because the message before was refused.
for ending in 'RSET close' 'RSET rst' 'RSET 421 4.4.2 idle ; close' 'RSET 421 4.4.2 idle ; hang' 'MAIL#2 close'; do
	for offer in PIPELINING 'PIPELINING, CHUNKING' 8BITMIME; do
		script <<-E
			offer $offer
			RCPT=u@ 550 5.1.1 no such user
			$ending
			--
			offer $offer
		E
		letter u@x.example
		letter v@x.example
		run_all "$ending, $offer"
		is "$(outcomes)" 'bounced u@x.example 1 550 5.1.1 no such user
delivered v@x.example 1 250 2.0.0 queued' 'the second message at once over a fresh connection'
	done
done

# What happens to a fresh connection is an attempt.
script <<'E'
MAIL#1 close
E
letter u@x.example
run_all 'a fresh connection is closed at MAIL'
is "$(outcomes)" 'deferred u@x.example 1  4.4.2 MAIL: connection closed by peer' 'that is a deferral'
is "$(connections)" 1 'and not tried again at once'
done_testing
