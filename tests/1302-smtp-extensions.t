#!/bin/sh
# What is said only where the server offers it and the message needs it: SMTPUTF8 and A-labels, SIZE, 8BITMIME,
# DSN; and what becomes of a message that needs what is not offered.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/rules.sh"
peer_start peer

# raw HEADERS BODY: as letter, with this content; arguments behind them are smtp-submit's
raw() {
	printf "$1" >"$T/letter"
	printf "\n$2" >>"$T/letter"
	shift 2
	smtp-submit -odq -f s@d.example "$@" <"$T/letter"
}
# envelope: MAIL and RCPT as they were said, without SIZE
envelope() {
	commands | grep -E '^(MAIL|RCPT)' | sed 's/ SIZE=[0-9]*//'
}

# --- SMTPUTF8 (RFC 6531)

script <<'E'
offer PIPELINING, SMTPUTF8, 8BITMIME
E
letter u@bücher.example
run_all 'only the domain is international'
is "$(envelope)" 'MAIL FROM:<s@d.example>
RCPT TO:<u@xn--bcher-kva.example>' 'it goes as A-labels, and nothing is asked for'
is "$(outcomes)" 'delivered u@bücher.example 1 250 2.0.0 queued' 'delivered'

script <<'E'
offer PIPELINING, SMTPUTF8, 8BITMIME
E
letter -f s@bücher.example u@x.example
run_all 'the domain of the sender is international'
is "$(envelope)" 'MAIL FROM:<s@xn--bcher-kva.example>
RCPT TO:<u@x.example>' 'it goes as A-labels too'

script <<'E'
offer PIPELINING, SMTPUTF8, 8BITMIME
E
letter ü@bücher.example
run_all 'the local part is international'
is "$(envelope)" 'MAIL FROM:<s@d.example> SMTPUTF8
RCPT TO:<ü@bücher.example>' 'SMTPUTF8 is asked for'
is "$(outcomes)" 'delivered ü@bücher.example 1 250 2.0.0 queued' 'delivered'

script <<'E'
offer PIPELINING, SMTPUTF8, 8BITMIME
E
letter ü@x.example u@x.example v@x.example
run_all 'one of three needs SMTPUTF8'
is "$(envelope)" 'MAIL FROM:<s@d.example>
RCPT TO:<u@x.example>
RCPT TO:<v@x.example>
MAIL FROM:<s@d.example> SMTPUTF8
RCPT TO:<ü@x.example>' 'it is asked for this one alone'
is "$(outcomes)" 'delivered u@x.example 1 250 2.0.0 queued
delivered v@x.example 1 250 2.0.0 queued
delivered ü@x.example 1 250 2.0.0 queued' 'all delivered'
is "$(connections)" 1 'over one connection'

script <<'E'
offer PIPELINING, 8BITMIME
E
letter ü@x.example u@x.example v@x.example
run_all 'one of three needs SMTPUTF8, which is not offered'
is "$(envelope)" 'MAIL FROM:<s@d.example>
RCPT TO:<u@x.example>
RCPT TO:<v@x.example>' 'the others are not held back'
is "$(outcomes | sort)" 'bounced ü@x.example 1  5.6.7 the server does not know SMTPUTF8
delivered u@x.example 1 250 2.0.0 queued
delivered v@x.example 1 250 2.0.0 queued' 'and do not fail with it'

script <<'E'
offer PIPELINING, 8BITMIME
MAIL 451 4.3.0 later
E
letter ü@x.example u@x.example
run_all 'the same, and the others have to wait'
is "$(outcomes | sort)" 'bounced ü@x.example 1  5.6.7 the server does not know SMTPUTF8
deferred u@x.example 1 451 4.3.0 later' 'the verdicts stay apart'

for offer in 'PIPELINING, SMTPUTF8, 8BITMIME' 'PIPELINING, 8BITMIME'; do
	script <<-E
		offer $offer
	E
	letter -f jörg@d.example u@x.example
	run_all "the sender needs SMTPUTF8, $offer"
	case $offer in
	*UTF8*) is "$(envelope)" 'MAIL FROM:<jörg@d.example> SMTPUTF8
RCPT TO:<u@x.example>' 'asked for' ;;
	*) is "$(outcomes)" 'bounced u@x.example 1  5.6.7 the server does not know SMTPUTF8' 'the message cannot go there'
		is "$(envelope)" '' 'without a word' ;;
	esac
	script <<-E
		offer $offer
	E
	raw 'From: a@d.example\nTo: b@d.example\nSubject: f\303\274r\n' 'x\n' u@x.example
	run_all "the header needs SMTPUTF8, $offer"
	case $offer in
	*UTF8*) is "$(envelope)" 'MAIL FROM:<s@d.example> BODY=8BITMIME SMTPUTF8
RCPT TO:<u@x.example>' 'asked for' ;;
	*) like "$(outcomes)" '^bounced u@x.example 1 [0-9]* 5.6.[79] ' 'the message cannot go there' ;;
	esac
done

# --- 8BITMIME (RFC 6152)

mime='From: a@d.example\nTo: b@d.example\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n'
# How it is encoded where it is not offered: 1309-8bit.t
configure '8bit = send'
for offer in 'PIPELINING, 8BITMIME' PIPELINING CHUNKING; do
	script <<-E
		offer $offer
	E
	raw "$mime" 'f\303\274r\n' u@x.example
	cp "$(find "$RELAYKIT_QUEUE/new" -type f)" "$T/entry"
	run_all "8-bit content, $offer"
	case $offer in *8BIT*) want=' BODY=8BITMIME' ;; *) want= ;; esac
	is "$(envelope | head -n 1)" "MAIL FROM:<s@d.example>$want" 'BODY is said where it is known'
	n=$(wc -c <"$T/peer/1.1.eml")
	tail -c "$n" "$T/entry" >"$T/content"
	ok 'and the content goes as it is' cmp "$T/content" "$T/peer/1.1.eml"
	ok 'which is 8-bit' grep -q "$(printf 'f\303\274r')" "$T/peer/1.1.eml"
done
configure
script <<'E'
offer PIPELINING, 8BITMIME
E
letter u@x.example
run_all '7-bit content'
is "$(envelope | head -n 1)" 'MAIL FROM:<s@d.example>' 'says nothing'

# --- SIZE (RFC 1870)

script <<'E'
offer PIPELINING, SIZE
E
letter u@x.example v@x.example
n=$(find "$RELAYKIT_QUEUE/new" -type f | sed 's/.*,mail,\([0-9]*\),.*/\1/')
run_all 'SIZE without a limit'
is "$(commands | sed -n 2p)" "MAIL FROM:<s@d.example> SIZE=$n" 'the size is said'
is "$n" "$(wc -c <"$T/peer/1.1.eml")" 'and it is that of the content as it is sent, dots not doubled'

for limit in 0 $((n - 1)) $n $((n + 1)) 99999999999999999999; do
	script <<-E
		offer PIPELINING, SIZE $limit
	E
	letter u@x.example v@x.example
	run_all "SIZE $limit, a message of $n"
	if [ "$limit" = $((n - 1)) ]; then
		is "$(outcomes)" 'bounced u@x.example 1  5.3.4 message is larger than the server takes
bounced v@x.example 1  5.3.4 message is larger than the server takes' 'is too large'
		is "$(commands)" 'EHLO h.example
QUIT' 'without MAIL'
	else
		is "$(outcomes | grep -c '^delivered')" 2 'delivered'
	fi
done

# --- DSN (RFC 3461)

for offer in 'PIPELINING, DSN' PIPELINING; do
	script <<-E
		offer $offer
	E
	letter -N failure,delay -R hdrs -V id=x u@x.example v@x.example
	run_all "DSN parameters, $offer"
	case $offer in
	*DSN*)
		like "$(commands | grep MAIL)" '^MAIL FROM:<s@d.example>( RET=HDRS| ENVID=id\+3Dx){2}$' 'RET and ENVID go with MAIL'
		is "$(commands | grep -icE '^RCPT TO:<[uv]@x.example>( NOTIFY=(FAILURE,DELAY|DELAY,FAILURE)| ORCPT=rfc822;[uv]@x.example){1,2}$')" 2 'NOTIFY with each RCPT' ;;
	*) is "$(commands | grep -E '^(MAIL|RCPT)')" 'MAIL FROM:<s@d.example>
RCPT TO:<u@x.example>
RCPT TO:<v@x.example>' 'not where it is unknown' ;;
	esac
done
script <<'E'
offer PIPELINING, DSN
E
letter -N never u@x.example
run_all 'NOTIFY=NEVER'
like "$(commands | grep RCPT)" '^RCPT TO:<u@x.example> NOTIFY=NEVER' 'is passed on'

# RFC 6533 3: an original recipient in UTF-8 is for a transaction with SMTPUTF8, elsewhere there is a form in ASCII.
original() { # RCPT ORCPT: one message
	printf 'MAIL FROM:<s@d.example> SMTPUTF8\nRCPT TO:<%s> NOTIFY=FAILURE ORCPT=%s\nDATA\nFrom: a@d.example\n\nx\n.\n' "$1" "$2" |
	    smtp-submit -odq -bS >"$T/batch.out"
}
for offer in 'PIPELINING, DSN' 'PIPELINING, DSN, SMTPUTF8, 8BITMIME'; do
	script <<-E
		offer $offer
	E
	original u@x.example 'utf-8;gr\x{2B}ün€😀@y.example'
	run_all "an original recipient in UTF-8, $offer"
	is "$(envelope)" 'MAIL FROM:<s@d.example>
RCPT TO:<u@x.example> NOTIFY=FAILURE ORCPT=utf-8;gr\\x{2B}\\x{FC}n\\x{20AC}\\x{1F600}@y.example' 'is told in ASCII'
	for host in yabcd yabcde; do # 500 bytes in ASCII, and one more
		script <<-E
			offer $offer
		E
		original u@x.example "utf-8;$(printf '%080d' 0 | sed 's/0/ü/g')@$host.example"
		deliver
		echo "$(envelope | grep -c '^RCPT TO:<u@x.example> NOTIFY=FAILURE') $(commands | grep -c ORCPT)"
	done >"$T/long"
	is "$(xargs <"$T/long")" '1 1 1 0' 'is told up to the 500 bytes of RFC 3461 4.2'
done
original ü@x.example 'utf-8;gr\x{2B}ün@y.example'
run_all 'one that goes with SMTPUTF8'
is "$(envelope | tail -n 1)" 'RCPT TO:<ü@x.example> NOTIFY=FAILURE ORCPT=utf-8;gr\\x{2B}ün@y.example' 'is told as it is'

# --- keywords as they come

script <<'E'
EHLO 250-peer.test Hello h.example|250-pipelining|250-sIZe 12345678|250-8bitmime|250-XSOMETHING a=b|250-AUTH=LOGIN|250-STARTTLSX|250 HELP
E
letter u@x.example
run_all 'keywords in lower case and unknown ones'
is "$(groups | sed -n '2p' | sed 's/SIZE=[0-9]*/SIZE=N/')" 'MAIL FROM:<s@d.example> SIZE=N | RCPT TO:<u@x.example> | DATA' 'are told apart'
script <<'E'
EHLO 250-PIPELINING|250-8BITMIME|250
E
letter u@x.example
run_all 'the first line is a name, whatever it looks like'
is "$(groups | sed -n '2p')" 'MAIL FROM:<s@d.example>' 'so PIPELINING was not offered'
is "$(outcomes | cut -d ' ' -f 1)" delivered 'and an empty last line is the end'
done_testing
