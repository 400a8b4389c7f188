#!/bin/sh
# Content arrives as it was queued, byte by byte: dots at the beginning of lines wherever the pieces of a
# large message end, messages without an end of line, by DATA and by BDAT; and a peer that decides too early.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/rules.sh"
peer_start peer
QPUT=$BUILD/helpers/qput
[ -x "$QPUT" ] || skip_all 'build/helpers/qput is not built'

# put FILE: this content, as it is
put() {
	"$QPUT" "$RELAYKIT_QUEUE" -d x.example u@x.example <"$1" >/dev/null
}
# arrives WHAT FILE: it does, by each way there is
arrives() {
	for offer in PIPELINING 'PIPELINING, CHUNKING' CHUNKING 8BITMIME; do
		script <<-E
			offer $offer
		E
		put "$2"
		run_all "$1, $offer"
		ok "$1, $offer: arrives as it was" cmp "${3-$2}" "$T/peer/1.1.eml"
	done
}

printf 'Subject: x\r\n\r\n.\r\n..\r\n.x\r\n...\r\nx.\r\n.\r\n' >"$T/dots"
arrives 'lines of dots' "$T/dots"
script <<'E'
offer PIPELINING
E
put "$T/dots"
run_all 'DATA'
printf 'Subject: x\r\n\r\n..\r\n...\r\n..x\r\n....\r\nx.\r\n..\r\n' >"$T/want"
ok 'each line that begins with a dot has one more (RFC 5321 4.5.2)' cmp "$T/want" "$T/peer/1.1.wire"

printf '.first line\r\n\r\nx\r\n' >"$T/first"
arrives 'a dot as the first byte' "$T/first"

: >"$T/empty"
arrives 'an empty message' "$T/empty"
printf 'Subject: x\r\n' >"$T/header"
arrives 'a header alone' "$T/header"

# Without an end of line DATA has to add one; BDAT has not (RFC 3030 4.1).
printf 'Subject: x\r\n\r\n.no end of line' >"$T/noeol"
printf 'Subject: x\r\n\r\n.no end of line\r\n' >"$T/eol"
for offer in PIPELINING CHUNKING; do
	script <<-E
		offer $offer
	E
	put "$T/noeol"
	run_all "no end of line, $offer"
	case $offer in CHUNKING) want=$T/noeol ;; *) want=$T/eol ;; esac
	ok "$offer: the end is where it was" cmp "$want" "$T/peer/1.1.eml"
done

# Large: read from the file in pieces of 256 KiB. Lines of dots over each border, shifted byte by byte.
python3 - "$T" <<'E'
import sys
head = b"Subject: x\r\n\r\n"
for shift in range(4):
    body = bytearray(head + b"y" * shift)
    while len(body) < 262144 * 3 + 10:
        near = 262144 - len(body) % 262144
        body += b".\r\n" * 20 if near < 40 else b"." + b"z" * 60 + b"\r\n" if near > 200 else b"w\r\n"
    with open(sys.argv[1] + "/large%d" % shift, "wb") as f:
        f.write(body)
with open(sys.argv[1] + "/zeros", "wb") as f:
    f.write(head + (b"0" * 78 + b"\r\n") * 100000)
E
for shift in 0 1 2 3; do
	for offer in PIPELINING 'PIPELINING, CHUNKING'; do
		script <<-E
			offer $offer
		E
		put "$T/large$shift"
		run_all "dots over the borders, shifted by $shift, $offer"
		ok 'arrive' cmp "$T/large$shift" "$T/peer/1.1.eml"
	done
done

# Around what goes in one write with the envelope (64 KiB), and what is read along with the entry (128 KiB).
for n in 65535 65536 65537 131071 131072 131073; do
	head -c "$n" "$T/large0" >"$T/some"
	script <<'E'
E
	put "$T/some"
	run_all "$n bytes"
	ok "$n bytes arrive" cmp "$T/some" "$T/peer/1.1.eml"
	is "$(groups | sed -n 3p | cut -d ' ' -f 1)" "$([ "$n" -gt 65536 ] && echo BDAT || echo QUIT)" \
	    "in one write with MAIL up to 64 KiB"
done

# --- before all is out (8 MB do not fit into any socket)

for offer in PIPELINING 'PIPELINING, CHUNKING'; do
	block_s=50 # whoever waited for it would be late
	configure
	for early in '552 5.3.4 too much' '451 4.3.1 disk full' '421 4.3.2 going down'; do
		case $early in 5*) as=bounced ;; *) as=deferred ;; esac
		script <<-E
			offer $offer
			part=100000 $early ; deaf
			--
			offer $offer
		E
		put "$T/zeros"
		"$QPUT" "$RELAYKIT_QUEUE" -d x.example second@x.example <"$T/header" >/dev/null
		begun=$(date +%s)
		run_all "$early before the end, $offer"
		is "$(outcomes | grep u@)" "$as u@x.example 1 ${early%% *} $(echo "$early" | cut -d ' ' -f 2-)" 'is believed'
		ok 'at once' test $(($(date +%s) - begun)) -lt 45
		case $early in
		421*) ;;
		*) is "$(outcomes | grep second@)" 'delivered second@x.example 1 250 2.0.0 queued' 'the next message is sent'
			is "$(connections)" 2 'over another connection' ;;
		esac
	done
	block_s=2
	configure
	script <<-E
		offer $offer
		part=100000 250 2.0.0 have it all ; deaf
	E
	put "$T/zeros"
	run_all "250 before the end, $offer"
	like "$(outcomes)" '^deferred u@x.example 1  4.4.2 unexpected reply 250 to the end of data' 'is no acceptance'
	for end in close rst; do
		script <<-E
			offer $offer
			part=100000 $end
		E
		put "$T/zeros"
		run_all "$end before the end, $offer"
		like "$(outcomes)" '^deferred u@x.example 1  4.4.2 (sending|end of data): ' 'is a deferral'
		script <<-E
			offer $offer
			part=100000 452 4.3.1 disk full ; $end
		E
		put "$T/zeros"
		run_all "452 and $end before the end, $offer"
			like "$(outcomes)" '^deferred u@x.example 1 452 4.3.1 disk full' 'what it said last is why'
	done
	script <<-E
		offer $offer
		part=100000 deaf
	E
	put "$T/zeros"
	begun=$(date +%s)
	run_all "a peer that reads no more, $offer"
	like "$(outcomes)" '^deferred u@x.example 1  4.4.2 sending: timed out' 'is a deferral'
	took=$(($(date +%s) - begun))
	ok "after timeout_block (took $took s)" test $took -ge 2 -a $took -lt 30
done
done_testing
