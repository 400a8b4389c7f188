#!/bin/sh
# Peers that drip, stall, speak out of turn and go away: a deferral with the reason, in the time that the timeouts
# give.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/rules.sh"
peer_start peer

# --- time

wait_s=1
final_s=1
configure
for point in connect EHLO MAIL RCPT DATA dot; do
	says 'offer PIPELINING' "$point hang"
	wait_for ' 4.4.[12] .*: timed out'
	within 900 15000
done
says 'connect drip 0.05 220 this takes longer than a second'
wait_for ' 4.4.1 .*greeting: timed out'
within 900 15000
says 'offer PIPELINING' 'RCPT drip 0.05 250 this takes longer than a second'
wait_for ' 4.4.2 RCPT: timed out'
within 900 15000
wait_s=20
final_s=20
configure
says 'connect drip 0.01 220 hi' 'MAIL drip 0.01 250 ok' 'dot drip 0.01 250 slow'
is "$(outcomes | cut -d ' ' -f 1)" delivered 'a byte each 10 ms is slow, but in time'

# The final reply has a limit of its own, the longest of all (RFC 5321 4.5.3.2.6).
wait_s=2
configure
for offer in 'offer PIPELINING' 'offer PIPELINING, CHUNKING'; do
	says "$offer" 'dot sleep 3 ; 250 2.0.0 at last'
	is "$(outcomes)" 'delivered u@x.example 1 250 2.0.0 at last' "$offer: the final reply after 3 s, where others may take two"
	is "$(messages | wc -l)" 1 'the message was sent once'
done
wait_s=20
final_s=2
configure
says 'offer PIPELINING' 'dot sleep 6 ; 250 2.0.0 at last'
wait_for ' 4.4.2 end of data: timed out'

# --- order

final_s=20
configure

says 'offer PIPELINING' 'MAIL 250 2.1.0 ok ; 550 5.0.0 extra'
like "$(outcomes)" '^(deferred|bounced) u@x.example 1 ' 'an extra reply: ended'
is "$(messages | grep -c true)" 0 'and nothing was sent'
says 'offer' 'MAIL raw 250 2.1.0 ok\r\n550 5.0.0 extra\r\n'
wait_for ' 4.4.2 RCPT: a reply that nothing asked for'
says 'offer' 'RCPT raw 250 2.1.0 ok\r\n354 go\r\n250 2.0.0 done\r\n'
wait_for ' 4.4.2 DATA: a reply that nothing asked for'
is "$(messages | wc -l)" 0 'a 354 that came too early is not believed'
says 'offer PIPELINING' 'DATA raw 354 go\r\n250 2.0.0 done\r\n ; hang'
wait_for ' 4.4.2 DATA: a reply that nothing asked for'
says 'offer CHUNKING' 'RCPT raw 250 2.1.0 ok\r\n250 2.0.0 done\r\n'
wait_for ' 4.4.2 BDAT: a reply that nothing asked for'
says 'connect raw 220 x\r\n220 y\r\n'
wait_for ' 4.4.1 .*: EHLO: a reply that nothing asked for'
says 'EHLO raw 250-peer.test\r\n250 PIPELINING\r\n250 2.1.0 early\r\n'
wait_for ' 4.4.2 MAIL: a reply that nothing asked for'
says 'offer PIPELINING' 'RCPT 354 go' 'DATA 250 2.1.5 ok'
wait_for ' 4.4.2 unexpected reply 354 to RCPT'
says 'offer PIPELINING' 'MAIL 354 go'
wait_for ' 4.4.2 unexpected reply 354 to MAIL'

# --- the end at any point

for ending in close rst; do
	for point in connect EHLO MAIL RCPT DATA dot; do
		for offer in PIPELINING CHUNKING; do
			case $point$offer in DATACHUNKING) continue ;; esac
			says "offer $offer" "$point $ending"
			wait_for ' 4.4.[12] '
		done
	done
	for point in EHLO MAIL RCPT DATA dot; do
		says 'offer PIPELINING' "$point raw 250 half a li ; $ending"
		wait_for ' 4.4.[12] .*(connection closed by peer|Connection reset by peer)'
	done
done
done_testing
