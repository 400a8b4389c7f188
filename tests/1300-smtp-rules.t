#!/bin/sh
# The client's side of a transaction, by the RFCs, against a peer that is told what to say: who gets which
# verdict, what is sent when, and what is never sent twice.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/rules.sh"
peer_start peer

# --- the dialogue itself

script <<'E'
offer PIPELINING, SIZE 1000000, 8BITMIME
E
letter u@x.example v@x.example
run_all 'a good server'
is "$(groups)" "EHLO h.example
MAIL FROM:<s@d.example> SIZE=$(wc -c <"$T/peer/1.1.eml") | RCPT TO:<u@x.example> | RCPT TO:<v@x.example> | DATA
QUIT" 'PIPELINING: MAIL, all RCPT and DATA in one write, in this order (RFC 2920 3.1)'
is "$(messages)" '1 DATA true <s@d.example> <u@x.example>,<v@x.example>' 'both recipients share a transaction'
is "$(outcomes)" 'delivered u@x.example 1 250 2.0.0 queued
delivered v@x.example 1 250 2.0.0 queued' 'and one event each'
is "$(places)" '' 'nothing is left'

script <<'E'
E
letter u@x.example v@x.example
run_all 'a good server with CHUNKING'
is "$(groups | sed 's/[0-9][0-9]* LAST/N LAST/;s/SIZE=[0-9]*/SIZE=N/')" 'EHLO h.example
MAIL FROM:<s@d.example> SIZE=N | RCPT TO:<u@x.example> | RCPT TO:<v@x.example> | BDAT N LAST
QUIT' 'everything in one write'
is "$(messages)" '1 BDAT true <s@d.example> <u@x.example>,<v@x.example>' 'BDAT with all of it'

script <<'E'
offer CHUNKING
E
letter u@x.example v@x.example
run_all 'CHUNKING without PIPELINING'
is "$(groups | sed 's/[0-9][0-9]* LAST/N LAST/')" 'EHLO h.example
MAIL FROM:<s@d.example>
RCPT TO:<u@x.example>
RCPT TO:<v@x.example>
BDAT N LAST
QUIT' 'each command waits for the reply to the one before'

script <<'E'
offer
E
letter u@x.example v@x.example
run_all 'a server that offers nothing'
is "$(groups)" 'EHLO h.example
MAIL FROM:<s@d.example>
RCPT TO:<u@x.example>
RCPT TO:<v@x.example>
DATA
QUIT' 'no parameter, no pipelining'
is "$(outcomes)" 'delivered u@x.example 1 250 2.0.0 queued
delivered v@x.example 1 250 2.0.0 queued' 'delivered'

script <<'E'
EHLO 502 5.5.1 what
E
letter u@x.example
run_all 'EHLO is refused'
is "$(groups)" 'EHLO h.example
HELO h.example
MAIL FROM:<s@d.example>
RCPT TO:<u@x.example>
DATA
QUIT' 'HELO, and nothing of ESMTP (RFC 5321 3.2)'
is "$(outcomes)" 'delivered u@x.example 1 250 2.0.0 queued' 'delivered'

# --- MAIL refused

script <<'E'
offer PIPELINING
MAIL 451 4.3.0 not now
RCPT=u@ 250 2.1.5 ok
RCPT=v@ 550 5.1.1 no such user
DATA 503 5.5.1 need RCPT
E
letter u@x.example v@x.example
run_all 'MAIL is refused for now'
is "$(outcomes)" 'deferred u@x.example 1 451 4.3.0 not now
deferred v@x.example 1 451 4.3.0 not now' 'it decides for all, and the 550 behind it for nobody'
is "$(places)" 'cur 1' 'it waits in cur'
is "$(connections)" 1 'over one connection'

script <<'E'
offer PIPELINING
MAIL 550 5.7.1 go away
RCPT 451 4.3.0 later
DATA 354 go
E
letter u@x.example v@x.example
run_all 'MAIL is refused for good, and DATA is not'
is "$(outcomes)" 'bounced u@x.example 1 550 5.7.1 go away
bounced v@x.example 1 550 5.7.1 go away' 'it decides for all'
is "$(places)" 'failed 1' 'it is kept in failed'
is "$(cat "$T/peer/1.1.wire" | wc -c)" 0 'only the dot was sent, and its reply counts for none'

script <<'E'
MAIL 550 5.7.1 go away
RCPT 250 2.1.5 ok
BDAT go
dot 250 2.0.0 queued
E
letter u@x.example
run_all 'MAIL is refused, RCPT and BDAT behind it are not'
is "$(outcomes)" 'bounced u@x.example 1 550 5.7.1 go away' 'the first word holds'

# --- RCPT

script <<'E'
offer PIPELINING
RCPT=bad@ 550 5.1.1 no such user
RCPT=late@ 450 4.2.0 greylisted
E
letter good@x.example bad@x.example late@x.example
run_all 'each recipient has a fate of its own'
is "$(outcomes | sort)" 'bounced bad@x.example 1 550 5.1.1 no such user
deferred late@x.example 1 450 4.2.0 greylisted
delivered good@x.example 1 250 2.0.0 queued' 'delivered, deferred, bounced'
is "$(messages)" '1 DATA true <s@d.example> <good@x.example>' 'one copy went out'
is "$(places)" 'cur 1' 'the message lives on for one of them'
rm "$T/peer/log"
put_off
run_all 'the next run' --now
is "$(commands 2 | grep RCPT)" 'RCPT TO:<late@x.example>' 'asks for this one alone'
is "$(outcomes | grep -c ' good@')" 1 'the others are never tried again'
like "$(outcomes | tail -n 1)" '^deferred late@x.example 2 450' 'that was its second attempt'
cp "$T/peer/script" "$T/peer/script.new"
echo 'offer PIPELINING' >"$T/peer/script.new"
mv "$T/peer/script.new" "$T/peer/script"
put_off
run_all 'and when it is taken' --now
is "$(outcomes | tail -n 1)" 'delivered late@x.example 3 250 2.0.0 queued' 'it is delivered'
is "$(places)" 'failed 1' 'then the message is over: one of its recipients has failed'
like "$(cat "$RELAYKIT_QUEUE"/failed/*/*)" '"as":"failed","code":550,"status":"5.1.1"' 'the journal tells why'

for refusal in '503 5.5.1 no valid recipients' '554 5.5.1 no valid recipients' '451 4.3.0 later'; do
	script <<-E
		offer PIPELINING
		RCPT 550 5.1.1 no such user
		DATA $refusal
	E
	letter u@x.example v@x.example
	letter w@x.example
	run_all "nobody is taken, DATA: $refusal"
	is "$(outcomes)" 'bounced u@x.example 1 550 5.1.1 no such user
bounced v@x.example 1 550 5.1.1 no such user
bounced w@x.example 1 550 5.1.1 no such user' 'it counts for none'
	is "$(connections)" 1 'and the connection goes on'
	is "$(groups | sed -n '3p')" 'RSET | MAIL FROM:<s@d.example> | RCPT TO:<w@x.example> | DATA' 'with RSET first'
done

script <<'E'
offer PIPELINING
RCPT 550 5.1.1 no such user
DATA 354 go on
dot 250 2.0.0 queued as nothing
E
letter u@x.example
run_all 'nobody is taken, and DATA says 354'
is "$(outcomes)" 'bounced u@x.example 1 550 5.1.1 no such user' 'the 250 for the dot counts for none'
is "$(wc -c <"$T/peer/1.1.wire")" 0 'only the dot was sent (RFC 2920 3.1)'

script <<'E'
RCPT 550 5.1.1 no such user
E
letter u@x.example
letter w@x.example
run_all 'nobody is taken, BDAT'
is "$(outcomes)" 'bounced u@x.example 1 550 5.1.1 no such user
bounced w@x.example 1 550 5.1.1 no such user' 'what is said to BDAT counts for none'
like "$(groups | sed -n '3p')" '^RSET . MAIL FROM:<s@d.example> .* RCPT TO:<w@x.example> . BDAT' 'RSET ends it'

script <<'E'
offer
RCPT 550 5.1.1 no such user
E
letter u@x.example v@x.example
letter w@x.example
run_all 'nobody is taken, without pipelining'
is "$(commands)" 'EHLO h.example
MAIL FROM:<s@d.example>
RCPT TO:<u@x.example>
RCPT TO:<v@x.example>
RSET
MAIL FROM:<s@d.example>
RCPT TO:<w@x.example>
QUIT' 'DATA is not asked for, and RSET ends it'

# --- DATA and the end

script <<'E'
offer PIPELINING
RCPT=bad@ 550 5.1.1 no such user
DATA 451 4.3.0 not now
E
letter good@x.example bad@x.example
run_all 'DATA is refused with a recipient taken'
is "$(outcomes | sort)" 'bounced bad@x.example 1 550 5.1.1 no such user
deferred good@x.example 1 451 4.3.0 not now' 'it counts for those who were taken'

script <<'E'
offer PIPELINING
RCPT=late@ 450 4.2.0 greylisted
dot 554 5.7.1 spam
E
letter good@x.example late@x.example
run_all 'the content is refused'
is "$(outcomes | sort)" 'bounced good@x.example 1 554 5.7.1 spam
deferred late@x.example 1 450 4.2.0 greylisted' 'it counts for those who were taken'

script <<'E'
offer PIPELINING
DATA 250 2.0.0 fine
E
letter u@x.example
run_all 'DATA is answered with 250'
is "$(outcomes)" 'deferred u@x.example 1  4.4.2 unexpected reply 250 to DATA' 'that is no leave to send'
is "$(connections)" 1 'and the end of the connection'

script <<'E'
dot 354 more
E
letter u@x.example
run_all 'the end is answered with 354'
like "$(outcomes)" '^deferred u@x.example 1  4.4.2 unexpected reply 354' 'that is no acceptance'
done_testing
