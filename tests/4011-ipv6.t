#!/bin/sh
# IPv6 and IPv4 to servers that have both, in a network namespace: which is tried first, what a site's section
# makes of it, and what follows where one of them does not answer; mx-lookup says the same beforehand.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/twonets.sh"
two_nets 10 11 12
[ -n "$IPV6" ] || skip_all 'no IPv6 here'
cd "$T" || exit 1
export RELAYKIT_QUEUE="$T/q" RELAYKIT_CONFIG="$T/conf"

# --- both: by both; six: listens at IPv6 alone; four: at IPv4 alone, though both have both addresses; only4, only6: one address
cat >dns.py <<'E'
import os, socket, struct
table = {}
for d, h, kinds in (("both", 10, "46"), ("six", 11, "46"), ("four", 12, "46"), ("only4", 10, "4"), ("only6", 10, "6")):
    table[d + ".example", 15] = [struct.pack(">H", 10) + b"\x02mx" + bytes([len(d)]) + d.encode() + b"\x07example\0"]
    if "4" in kinds:
        table["mx." + d + ".example", 1] = [socket.inet_aton("198.51.100.%d" % h)]
    if "6" in kinds:
        table["mx." + d + ".example", 28] = [socket.inet_pton(socket.AF_INET6, "2001:db8::%d" % h)]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
with open("dns.tmp", "w") as f:
    f.write(str(s.getsockname()[1]))
os.rename("dns.tmp", "dns")
while True:
    p, peer = s.recvfrom(4096)
    at, labels = 12, []
    while p[at]:
        labels.append(p[at + 1:at + 1 + p[at]].decode().lower())
        at += 1 + p[at]
    kind, = struct.unpack(">H", p[at + 1:at + 3])
    answer = table.get((".".join(labels), kind), [])
    body = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(a)) + a for a in answer)
    s.sendto(p[:2] + b"\x84\x00" + struct.pack(">HHHH", 1, len(answer), 0, 0) + p[12:at + 5] + body, peer)
E
bg python3 dns.py
until_true 40 test -s dns
serve() {
	name=$1
	shift
	bg nsenter -t $WORLD -n smtp-trap --anywhere --maildir "$T/$name" --port-file "$T/$name.port" "$@"
	until_true 40 test -s "$name.port" || { echo 'Bail out! smtp-trap did not start'; exit 1; }
}
serve both --listen $NET.10:25 --listen "[$SIX:10]:25"
serve six --listen "[$SIX:11]:25"
serve four --listen $NET.12:25

conf() { printf '%s\n' 'hostname = h.test' 'delivery = queue' 'retry_min = 1h' "resolver = \"127.0.0.1@$(cat dns)\"" "$@" >conf; }
# went NAME: one message to it; by which family it came, or why not
went() {
	rm -rf q "$2"/new/*
	printf 'Subject: x\n\ny\n' | smtp-submit -odq -f a@h.test "b@$1.example"
	smtp-deliver >out 2>&1
	if ls "$2"/new/* >/dev/null 2>&1; then
		cat "$2"/new/* | tr -d '\r[]' | sed -n 's/^X-Trap-Peer: \(.*\):[0-9]*$/\1/p'
	else
		cat q/log/*.jsonl | sed -n 's/.*"type":"deferred".*"enhanced_code":"\([^"]*\)","content":"\([^"]*\)".*/\1 \2/p'
	fi
}
order() { mx-lookup --addresses "$1.example"; }
conf
is "$(order both) | $(went both both)" "$SIX:10 $NET.10 | $SIX:1" 'auto: IPv6 first, where this machine has it'
is "$(went six six) $(went four four)" "$SIX:1 $NET.1" 'and the other within the same attempt'
for ip in ipv4 ipv6; do
	conf "site \"both.example\" { domains = both.example ip = $ip }" "site \"six.example\" { domains = six.example ip = $ip }" \
	    "site \"four.example\" { domains = four.example ip = $ip }" "site \"only4.example\" { domains = only4.example ip = $ip }" \
	    "site \"only6.example\" { domains = only6.example ip = $ip }"
	[ $ip = ipv4 ] && want="$NET.10 $SIX:10 | $NET.1" || want="$SIX:10 $NET.10 | $SIX:1"
	is "$(order both) | $(went both both)" "$want" "ip = $ip: that first"
	is "$(went six six) $(went four four)" "$SIX:1 $NET.1" "ip = $ip: the other where it does not answer"
	is "$(went only4 both) $(went only6 both)" "$NET.1 $SIX:1" "ip = $ip: the other where there is no such address"
done
for ip in ipv4 ipv6; do
	conf "site \"both.example\" { domains = both.example ip = $ip-only }" "site \"six.example\" { domains = six.example ip = $ip-only }" \
	    "site \"four.example\" { domains = four.example ip = $ip-only }" "site \"only4.example\" { domains = only4.example ip = $ip-only }" \
	    "site \"only6.example\" { domains = only6.example ip = $ip-only }"
	[ $ip = ipv4 ] && want="$NET.10 | $NET.1" || want="$SIX:10 | $SIX:1"
	is "$(order both) | $(went both both)" "$want" "ip = $ip-only: no other"
	[ $ip = ipv4 ] && none=six at="$NET.11" lack=only6 n=4 || none=four at="[$SIX:12]" lack=only4 n=6
	like "$(went $none $none)" "^4.4.1 mx.$none.example\\[$(echo "$at" | sed 's/[][]/\\&/g'):25\\]: .*Connection refused$" "ip = $ip-only: the other is not tried"
	is "$(went $lack both)" "4.4.3 mx.$lack.example has no IPv$n address, and its site has ip = $ip-only" 'a host without one waits'
done

# --- without an address of the world IPv6 is left out, but where there is nothing else
ip addr del $SIX:1/64 dev here
conf
is "$(order both) | $(went both both)" "$NET.10 | $NET.1" 'a machine without IPv6'
like "$(order only6)" "^$SIX:10$" 'a host without IPv4 is tried all the same'

# --- a relay at ::1, by its address and by a name that has both
rm -f port
bg smtp-trap --listen '[::1]:0' --maildir "$T/loop" --port-file "$T/port"
until_true 40 test -s port
conf "route \"both.example\" { relay = \"[::1]:$(cat port)\" }" "route \"six.example\" { relay = \"localhost:$(cat port)\" }"
is "$(went both loop) $(went six loop)" '::1 ::1' 'a relay at ::1, and at localhost, where nobody listens at 127.0.0.1'
done_testing
