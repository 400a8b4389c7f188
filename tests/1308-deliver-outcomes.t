#!/bin/sh
# What outcomes make of an entry: where it goes, when it is due again, what the journal and the log say,
# when it is given up; messages to several destinations; content that was sent and never answered.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/rules.sh"
. "$(dirname "$0")/peers.sh"
PATH=$BUILD/helpers:$PATH
peer_start other
other=$PORT
peer_start peer
mine=$PORT

# next_in: seconds from the last deferral to the next attempt, as the log says
next_in() {
	grep -h '"type":"deferred"' "$RELAYKIT_QUEUE"/log/* | tail -n 1 |
	    sed -E 's/.*"timestamp":"([^"]*)".*"next_attempt":"([^"]*)".*/\1 \2/' | {
		read -r at next
		echo $(($(date -u -d "$next" +%s) - $(date -u -d "$at" +%s)))
	}
}
# between N LOW HIGH WHAT
between() {
	ok "$4: $2 <= $1 <= $3" test "$1" -ge "$2" -a "$1" -le "$3"
}
again() {
	rm -f "$T/peer/log"
	put_off
	run_all "$1" --now
}

# --- deferral

script <<'E'
RCPT 450 4.2.0 not now
E
letter u@x.example
for wait in '225 376' '450 751' '900 1501'; do
	again "deferred, then in $wait seconds"
	# shellcheck disable=SC2086 # two numbers
	between "$(next_in)" $wait 'five minutes, twice that, twice that, give or take a quarter'
done
is "$(places)" 'cur 1' 'it waits in cur'
name=$(find "$RELAYKIT_QUEUE/cur" -type f)
due=$(basename "$name" | cut -d . -f 1)
is "$(basename "$(dirname "$name")")" "$(date -u -d "@$due" +%Y%m%d%H)" 'in the hour it is due'
is "$(grep -c '"do":"outcome"' "$name") $(grep -c '"do":"deferred"' "$name")" '3 3' 'the journal has each attempt'
is "$(outcomes | cut -d ' ' -f 3 | tr '\n' ' ')" '1 2 3 ' 'attempts are counted'
run_all 'a run before it is due'
is "$(outcomes | wc -l)" 3 'leaves it alone'

# What is said of the next attempt is when it is due, however long the others' attempts take.
script <<'E'
offer LIMITS RCPTMAX=1
RCPT=u@ 450 4.2.0 not now
dot sleep 2 ; 250 2.0.0 queued
E
letter u@x.example v@x.example w@x.example
run_all 'two get it, seconds after one was deferred'
next=$(sed -nE 's/.*"type":"deferred".*"next_attempt":"([^"]*)".*/\1/p' "$RELAYKIT_QUEUE"/log/*)
is "$(basename "$(find "$RELAYKIT_QUEUE/cur" -type f)" | cut -d . -f 1)" "$(date -u -d "$next" +%s)" 'next_attempt is when it is due'

for hint in 'greylisted, try again in 900 seconds=900' 'come back in 01:00:00=3600' 'retry in 2 hours=7200'; do
	script <<-E
		RCPT 450 4.2.0 ${hint%=*}
	E
	letter u@x.example
	run_all "${hint%=*}"
	between "$(next_in)" "${hint#*=}" $((${hint#*=} + 2)) 'is obeyed'
done
script <<'E'
RCPT 450 4.2.0 try again in 3 seconds
E
letter u@x.example
run_all 'a hint below our own wait'
between "$(next_in)" 225 376 'is not needed'

# --- failure

script <<'E'
RCPT 550 5.1.1 no such user
E
letter u@x.example v@x.example
run_all 'failed'
is "$(places)" 'failed 1' 'it is kept in failed'
is "$(grep -h '"type":"bounced"' "$RELAYKIT_QUEUE"/log/* | sed 's/.*"recipient":"\([^"]*\)".*/\1/')" 'u@x.example
v@x.example' 'one event a recipient'
like "$(cat "$RELAYKIT_QUEUE"/failed/*/*)" '"rcpt":\[\{"i":0,"as":"failed","code":550,"status":"5.1.1","text":"no such user"\},\{"i":1,"as":"failed"' \
    'the journal has both'
again 'the next run'
is "$(connections)" 0 'leaves it alone'
configure 'keep_failed = 0'
script <<'E'
RCPT 550 5.1.1 no such user
E
letter u@x.example
run_all 'keep_failed = 0'
is "$(places)" '' 'nothing is kept'
configure 'keep_sent = 1h'
script <<'E'
E
letter u@x.example
run_all 'keep_sent = 1h'
is "$(places)" 'sent 1' 'kept in sent'
configure

# --- the end of a lifetime: only after an attempt of this run has failed

configure 'lifetime = 1s'
script <<'E'
offer PIPELINING
E
letter u@x.example
sleep 1.1
run_all 'older than its lifetime, and the peer takes it'
is "$(outcomes)" 'delivered u@x.example 1 250 2.0.0 queued' 'delivered'
for trouble in 'RCPT=u@ 450 4.2.0 not now' 'connect 421 4.3.2 not now ; close' 'MAIL close'; do
	script <<-E
		$trouble
	E
	letter u@x.example v@x.example
	sleep 1.1
	run_all "older than its lifetime, $trouble"
	is "$(places)" 'failed 1' 'is given up'
	n=2
	case $trouble in RCPT*) n=1 ;; esac
	is "$(outcomes | grep -c '^expired [uv]@x.example 1 ')" $n 'one event a recipient that was still open'
	is "$(outcomes | grep -c '^bounced')" 0 'and no other'
done
script <<'E'
RCPT 450 4.2.0 not now
E
configure 'lifetime = 6s'
# young WHAT RCPT...: a first attempt within its lifetime, which a slow machine must see, too; then it is over
over() { [ "$(date +%s)" -gt $((born + 6)) ]; }
young() {
	what=$1
	shift
	letter "$@"
	born=$(date +%s)
	run_all "$what"
	until_true 30 over
}
young 'younger than its lifetime' u@x.example
again 'and then older'
like "$(outcomes | tail -n 1)" '^expired u@x.example 2 (450)? ?4.4.7 ' 'expired in the second attempt'
# Six days old, but its sender wanted it to go a minute ago: that is when its lifetime of five days began.
wished() {
	ID=$(env LD_PRELOAD="$BUILD/faults/clockshift" CLOCKSHIFT=-$((6 * 86400)) \
	    smtp-submit -odq -v -f s@d.example -O holduntil=$(($(date +%s) - 60)) "$1" <"$T/letter" | cut -f 1)
}
script <<'E'
RCPT 450 4.2.0 not now
E
configure 'lifetime = 5d'
wished u@x.example
like "$(smtp-queue why "$ID" | grep expires)" "$(date -u -d "@$(($(date +%s) - 60 + 5 * 86400))" +%Y-%m-%dT%H)" 'why: it has five days'
run_all 'a message that had to wait for longer than its lifetime'
like "$(outcomes)" '^deferred u@x.example 1 450 4.2.0 [^|]*$' 'is put off, not given up'
script <<'E'
connect 421 4.3.2 not now ; close
E
for rcpt in u@x.example v@x.example w@x.example; do wished $rcpt; done
run_all 'three of them to a site that is down'
is "$(outcomes | cut -d ' ' -f 1,3)" 'deferred 1' 'one makes an attempt'
is "$(grep -l '"do":"deferred"' "$T"/queue/cur/*/* | wc -l) $(find "$T/queue/cur" -type f | wc -l)" '1 3' 'the others wait without one'
# Its sender's wish is what it waits for where its site is closed when it comes, too; and it is told of.
script <<'E'
connect 421 4.3.2 not now ; close
E
letter u@x.example
run_all 'a site that is down'
until=$(($(date +%s) + 7200))
letter -O holduntil=$until v@x.example
id=${ID%%[!a-z0-9]*}
run_all 'what is for later comes'
is "$(find "$T/queue/cur" -type f -name "*.$id,*" | sed 's|.*/||; s/[.].*//')" $until 'it waits until then'
is "$(grep -h '"type":"accepted"' "$RELAYKIT_QUEUE"/log/* | grep -c "\"id\":\"$id\"")" 1 'and its coming is told'
run_all 'again'
is "$(connections) $(grep -h '"type":"accepted"' "$RELAYKIT_QUEUE"/log/* | grep -c "\"id\":\"$id\"")" '1 1' 'once, and nobody is asked'
# Nor twice what was in hand and went back: because the connection was lost that it was to go over next, or
# because no site of its recipients was open.
accepted() {
	grep -h '"type":"accepted"' "$RELAYKIT_QUEUE"/log/* | sed -E 's/.*"recipient":"([^"]*)".*/\1/' | sort | uniq -c |
	    awk '{ printf "%s%s %s", NR == 1 ? "" : ", ", $2, $1 }'
}
script <<'E'
dot close
--
E
for rcpt in u@x.example v@x.example; do letter $rcpt; done
run_all 'a connection is lost while the next message is in hand'
is "$(outcomes | sed 's/ 1 .*//'), $(accepted)" 'deferred u@x.example
delivered v@x.example, u@x.example 1, v@x.example 1' 'it goes over another, and was accepted once'
script <<'E'
connect 421 4.3.2 not now ; close
E
letter u@x.example
run_all 'a site that is down'
letter v@x.example w@y.example
run_all 'one for several domains waits for it'
is "$(connections) $(accepted)" '1 u@x.example 1' 'untried and untold'
put_off
cp /dev/null "$T/peer/script"
run_all 'now it is open' --now
is "$(accepted)" 'u@x.example 1, v@x.example 1, w@y.example 1' 'it is told with its first attempt'
configure 'lifetime = 6s'

# What is told is what the attempt met that was the last, not an earlier one.
script <<'E'
RCPT 450 4.2.0 not now
E
young 'put off at first' u@x.example v@x.example
cat >"$T/peer/script.new" <<'E'
RCPT=u@x.example 451 4.3.0 disk trouble
RCPT=v@x.example 452 4.2.2 mailbox full
E
mv "$T/peer/script.new" "$T/peer/script"
again 'older, and other replies'
is "$(outcomes | tail -n 2)" 'expired u@x.example 2 451 4.4.7 disk trouble
expired v@x.example 2 452 4.4.7 mailbox full' 'the replies of the second attempt are told'
like "$(grep -h '"type":"expired"' "$RELAYKIT_QUEUE"/log/* | tail -n 1)" \
    "\"peer_address\":\{\"name\":\"127.0.0.1\",\"addr\":\"127.0.0.1:$PORT\"" 'and who said so'
like "$(grep -h '"as":"expired"' "$RELAYKIT_QUEUE"/failed/*/* | tail -n 1)" \
    "\"addr\":\"127.0.0.1:$PORT\".*\"as\":\"expired\",\"code\":452" 'in the journal too'
script <<'E'
RCPT 450 4.2.0 not now
E
young 'put off again' u@x.example
deliver --relay "127.0.0.1:$(free_port)" --now
like "$(outcomes | tail -n 1)" '^expired u@x.example 2  4.4.7 .*Connection refused$' 'no connection is a reason, too'
configure

# --- a journal that grows and grows: of many who are put off for long

# longer MIB: by so much, each line of 64 KiB
longer() {
	filler=$(head -c 65400 /dev/zero | tr "\0" x)
	rm -f "$T/forged"
	forge "$T/forged" -k "\\n" -j '{"do":"outcome","at":1,"attempt":1,"site":"x","rcpt":[{"i":0,"as":"deferred","text":"'"$filler"'"}]' x
	tail -n 1 "$T/forged" >"$T/line"
	set -- "$1" "$T"/queue/cur/*/*
	sed -i '/^$/d' "$2" # the room behind the last line
	for _ in $(seq $(($1 * 16))); do cat "$T/line"; done >>"$2"
}
# kept: the outcome that was written last
kept() { grep -h '^{"do":"outcome"' "$T"/queue/cur/*/* | tail -n 1; }
words=$(head -c 400 /dev/zero | tr '\0' w)
script <<E
RCPT 450 4.2.0 $words
E
letter u@x.example
run_all 'put off'
longer 15
again 'put off with 15 MiB of journal'
like "$(kept)" "450,\"status\":\"4.2.0\",\"text\":\"$words\"" 'all that the server has said is kept'
longer 2
again 'and with 17'
like "$(kept)" '450,"status":"4.2.0","text":"w{80}"' 'and of that the beginning'
like "$(outcomes | tail -n 1)" "^deferred u@x.example 3 450 4.2.0 $words" 'the log has it all the same'
longer 30
again 'with 47'
like "$(outcomes | tail -n 1)" '^deferred u@x.example 4 ' 'put off once more'
longer 2
again 'with 49'
like "$(outcomes | tail -n 1)" '^expired u@x.example 5 450 4.4.7 w{80}$' 'given up while there is room to say so'
is "$(places)" 'failed 1' 'and no damaged entry'

# --- loops

configure 'max_received = 3'
for n in 1 2 3 4; do # submitting adds one
	script <<'E'
E
	{ for i in $(seq $n); do printf 'Received: from a by b; Mon, 2 Jan 2023 10:00:0%d +0000\n' "$i"; done
		printf 'From: a@d.example\nTo: b@d.example\n\nReceived: x\n'; } | smtp-submit -odq -f s@d.example u@x.example
	run_all "$n Received lines and ours"
	if [ $n -lt 3 ]; then
		is "$(outcomes | cut -d ' ' -f 1)" delivered 'is no loop'
	else
		like "$(outcomes)" '^bounced u@x.example 1  5.4.6 ' 'is a loop'
		is "$(commands | grep -c MAIL)" 0 'and nobody is troubled with it'
	fi
done
configure

# --- several destinations

two() {
	configure 'route "a.example" { relay = "127.0.0.1:'"$mine"'" }' 'route "b.example" { relay = "127.0.0.1:'"$mine"'" }' \
	    'route "c.example" { relay = "127.0.0.1:'"$other"'" }' "$@"
}
# run_routed WHAT [OPTIONS]: as run_all, by the routes
run_routed() {
	what=$1
	shift
	timeout 60 smtp-deliver $sandbox "$@" >"$T/run.out" 2>&1
	is "$?$(cat "$T/run.out")" 0 "$what"
}
two
script other <<'E'
E
script <<'E'
E
letter u@a.example v@b.example w@c.example
run_routed 'three domains, two of which have the same relay'
is "$(messages | cut -d ' ' -f 5)" '<u@a.example>,<v@b.example>' 'those two share a transaction'
is "$(messages other | cut -d ' ' -f 5)" '<w@c.example>' 'the third has its own'
is "$(outcomes | sort)" 'delivered u@a.example 1 250 2.0.0 queued
delivered v@b.example 1 250 2.0.0 queued
delivered w@c.example 1 250 2.0.0 queued' 'all delivered'
is "$(places)" '' 'nothing is left'

script other <<'E'
RCPT 450 4.2.0 not now
E
script <<'E'
RCPT=v@ 550 5.1.1 no such user
E
letter u@a.example v@b.example w@c.example
run_routed 'one delivered, one failed, one deferred'
is "$(outcomes | sort)" 'bounced v@b.example 1 550 5.1.1 no such user
deferred w@c.example 1 450 4.2.0 not now
delivered u@a.example 1 250 2.0.0 queued' 'each has its event'
is "$(places)" 'cur 1' 'it waits for the last'
rm "$T/peer/log" "$T/other/log"
echo 'offer PIPELINING' >"$T/other/script.new"
mv "$T/other/script.new" "$T/other/script"
put_off
run_routed 'the next run' --now
is "$(connections) $(messages other | cut -d ' ' -f 5)" '0 <w@c.example>' 'tries the last alone'
is "$(outcomes | sort | uniq -c | awk '{ print $1, $2, $3, $4 }')" '1 bounced v@b.example 1
1 deferred w@c.example 1
1 delivered u@a.example 1
1 delivered w@c.example 2' 'nobody was told or sent anything twice'
is "$(places)" 'failed 1' 'it ends in failed'

# One destination's site is closed, by the run before.
two 'retry_min = 1h'
script other <<'E'
connect 554 5.3.2 closed
E
script <<'E'
RCPT=bad@ 550 5.1.1 no such user
E
letter x@c.example
run_routed 'the second relay takes nobody'
rm "$T/other/log"
letter u@a.example bad@b.example w@c.example
run_routed 'one destination is closed'
is "$(connections other)" 0 'it is not asked'
is "$(outcomes | grep -v '^deferred x@' | sort)" 'bounced bad@b.example 1 550 5.1.1 no such user
delivered u@a.example 1 250 2.0.0 queued' 'the others have their outcome, and the wait is not an attempt'
put_off
rm -f "$T/peer/log"
echo 'offer PIPELINING' >"$T/other/script.new"
mv "$T/other/script.new" "$T/other/script"
run_routed 'when it is open again' --now
is "$(connections) $(messages other | cut -d ' ' -f 5 | sort | tr '\n' ' ')" '0 <w@c.example> <x@c.example> ' 'who waited is sent, nobody else'
is "$(outcomes | grep -c 'bad@b.example')" 1 'who failed is not told twice'

# More messages to several destinations than may be in hand at once, one connection in all, and another run
# has the only one that one of the relays takes: nobody waits for what only he could do.
two 'connections = 1'
script other <<'E'
E
script <<'E'
dot sleep 1 ; 250 2.0.0 queued
--
E
letter slow@a.example
timeout 60 smtp-deliver $sandbox &
first=$!
until_true 40 grep -q '"is":"message"' "$T/peer/log"
printf 'From: a@d.example\nSubject: x\n\nhello\n' >"$T/letter"
for i in $(seq 80); do smtp-submit -odq -f s@d.example "$i@a.example" "$i@c.example" <"$T/letter"; done
run_routed '80 messages to two relays each'
wait $first
is "$(outcomes | grep -c '^delivered')" 161 'all delivered'
is "$(places)" '' 'nothing is left'
configure

# --- sent, and never answered

for policy in retry hold assume-sent; do
	for offer in PIPELINING 'PIPELINING, CHUNKING'; do
		configure "in_doubt = $policy"
		script <<-E
			offer $offer
			dot close
			--
			offer $offer
		E
		letter u@x.example
		run_all "in_doubt = $policy, $offer: the peer goes away behind the content"
		again 'the next run'
		case $policy in
		retry)
			is "$(outcomes | cut -d ' ' -f 1,3)" 'deferred 1
delivered 2' 'it is sent again' ;;
		hold)
			is "$(places) $(grep -ch '"type":"held"' "$RELAYKIT_QUEUE"/log/*)" 'hold 1 1' 'it is held for a person'
			is "$(connections)" 0 'and not sent again' ;;
		assume-sent)
			like "$(outcomes)" '^delivered u@x.example 1 ' 'it is taken as delivered'
			is "$(places)$(connections)" 0 'and not sent again' ;;
		esac
		# Where no content has left there is no doubt.
		for ending in 'RCPT close' 'MAIL#2 close' 'MAIL#2 421 4.4.2 idle ; close'; do
			script <<-E
				offer PIPELINING
				$ending
				--
				offer PIPELINING
			E
			letter u@x.example
			letter v@x.example
			run_all "in_doubt = $policy, $offer, $ending"
			again 'the next run'
			is "$(outcomes | grep -c '^delivered')$(places)" 2 "in_doubt = $policy, $offer, $ending: both delivered in the end"
		done
	done
done
# Of those who were refused in it all is known: the log says so, the sender is told, the list learns it.
events() { # events TYPE: its lines of s@d.example's message, as "RECIPIENT CODE"
	sed -nE "s/^\{\"type\":\"$1\".*\"sender\":\"s@d.example\".*/&/p" "$RELAYKIT_QUEUE"/log/events-*.jsonl |
	    sed -E 's/.*"recipient":"([^"]*)".*"response":\{"code":([0-9]+).*/\1 \2/; s/^\{.*/line/'
}
for policy in hold assume-sent; do
	configure "in_doubt = $policy" 'notices { bounce = sender }'
	script <<-'E'
		offer PIPELINING, ENHANCEDSTATUSCODES
		RCPT=no@ 550 5.1.1 nobody
		RCPT=later@ 450 4.2.0 not now
		dot close
		--
		offer PIPELINING, ENHANCEDSTATUSCODES
		RCPT=later@ 450 4.2.0 not now
	E
	letter no@x.example sent@x.example later@x.example
	run_all "in_doubt = $policy: one is refused, one deferred, and the peer goes away behind the content"
	is "$(events attempted)" line "in_doubt = $policy: the attempt is told"
	is "$(events bounced) $(events deferred)" 'no@x.example 550 later@x.example 450' 'who was refused and who waits, too'
	is "$(events delivered)$(events expired)" '' 'nothing is said of who is in doubt'
	is "$(events notified)" line 'the sender is told'
	put_off
	run_all 'the next run' --now
	is "$(messages | cut -d ' ' -f 4-)" '<s@d.example> <sent@x.example>
<> <s@d.example>' 'the notice has arrived, and nothing is sent twice'
	is "$(events bounced) $(events notified)" 'no@x.example 550 line' 'nothing is said twice'
	case $policy in
	hold) is "$(places)" 'hold 1' 'the rest is held' ;;
	assume-sent) is "$(events delivered | wc -l) $(places)" '1 cur 1' 'who is in doubt has it; who was deferred waits' ;;
	esac
done
done_testing
