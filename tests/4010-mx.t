#!/bin/sh
# Mail on its way by MX: NSD and smtp-trap on port 25 live in a network namespace of their own, we in
# another, and the addresses are those of documentation (RFC 5737, RFC 3849).  What happens to each
# message is read from the event log.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/peers.sh"
. "$TOP/tests/twonets.sh"

need smtp-trap
[ -f "$PEERS/nsd/libpath" ] || skip_all 'no nsd in build/peers: scripts/peers nsd'
two_nets 10 11 12 53

# .10 and .12 take mail, .11 refuses connections, .1 is us.
mkdir "$T/zones"
cat >"$T/zones/example" <<END
\$ORIGIN example.
\$TTL 300
@        SOA  ns root 1 3600 600 86400 60
@        NS   ns
ns       A    $NET.53
good     A    $NET.10
second   A    $NET.12
closed   A    $NET.11
us       A    $NET.1
lo       A    127.0.0.1
six      AAAA $SIX:10
both     A    $NET.10
both     AAAA $SIX:10
half     A    $NET.12
half     AAAA $SIX:11
many     A    $NET.11
many     A    $NET.10
relay    A    $NET.10
plain    MX   10 good
plain    MX   20 second
fallback MX   10 closed
fallback MX   20 second
equal    MX   10 closed
equal    MX   10 good
severala MX   10 many
onlysix  MX   10 six
dual     MX   10 both
dualhalf MX   10 half
null     MX   0 .
usonly   MX   10 us
usname   MX   10 relay
behind   MX   10 closed
behind   MX   20 us
behind   MX   30 good
equalus  MX   10 us
equalus  MX   10 good
local    MX   10 lo
lohost   MX   10 localhost.
noaddr   MX   10 missing
onebad   MX   10 missing
onebad   MX   20 good
broken   MX   10 host.elsewhere.
exists   TXT  "no address and no MX"
END
nsd_conf $NET.53 example >"$T/nsd.conf"
bg nsenter -t $WORLD -n env LD_LIBRARY_PATH="$(cat "$PEERS/nsd/libpath")" \
    "$PEERS/nsd/usr/sbin/nsd" -d -c "$T/nsd.conf"
set -- --listen $NET.10:25 --listen $NET.12:25
[ -z "$IPV6" ] || set -- "$@" --listen "[$SIX:10]:25"
bg nsenter -t $WORLD -n smtp-trap --anywhere --maildir "$T/trap" --port-file "$T/port" "$@"

cat >"$T/conf" <<END
queue = "$T/queue"
hostname = "relay.example"
domain = "relay.example"
resolver = "$NET.53"
delivery = queue
END
RELAYKIT_CONFIG=$T/conf
export RELAYKIT_CONFIG
PATH=$BUILD/helpers:$PATH
serves() { dnsq -r $NET.53 -t 1000 plain.example | grep -q ^site; }
until_true 40 serves || {
	sed 's/^/# /' "$T/nsd.log"
	skip_all 'NSD does not start here'
}
until_true 40 test -s "$T/port"

# outcome RECIPIENT: what the last event about it says: TYPE CODE PEER
outcome() {
	cat "$T"/queue/log/events-*.jsonl | python3 -c '
import json, sys
last = None
for line in sys.stdin:
    e = json.loads(line)
    if e.get("recipient") == sys.argv[1] and e["type"] != "accepted":
        last = e
r = last or {"type": "nothing"}
answer = r.get("response", {})
peer = r.get("peer_address", {}).get("addr", "") if r["type"] == "delivered" else ""
print(" ".join(x for x in (r["type"], answer.get("enhanced_code", ""), peer) if x))' "$1"
}

for d in plain fallback equal severala null usonly usname behind equalus local lohost noaddr onebad broken \
    exists missing good; do
	echo "$d.example"
done >"$T/domains"
echo "[$NET.10]" >>"$T/domains"
echo "[$NET.1]" >>"$T/domains"
echo "[127.0.0.1]" >>"$T/domains"
[ -z "$IPV6" ] || printf '%s\n' onlysix.example dual.example dualhalf.example "[IPv6:$SIX:10]" \
    >>"$T/domains"
while read -r d; do
	printf 'Subject: to %s\n\nHello.\n' "$d" | smtp-submit -f sender@relay.example "user@$d"
done <"$T/domains"
is "$(ls "$T/queue/new" | wc -l)" "$(wc -l <"$T/domains")" 'all are queued'
ok 'one run' smtp-deliver

# went DOMAIN OUTCOME WHAT
went() { is "$(outcome "user@$1")" "$2" "$3"; }
went plain.example "delivered 2.0.0 $NET.10:25" 'the lowest preference'
went fallback.example "delivered 2.0.0 $NET.12:25" 'the next MX when the first refuses connections'
went equal.example "delivered 2.0.0 $NET.10:25" 'an equal one'
went severala.example "delivered 2.0.0 $NET.10:25" 'the next address of the same host'
went good.example "delivered 2.0.0 $NET.10:25" 'implicit MX'
went onebad.example "delivered 2.0.0 $NET.10:25" 'the next MX when the first does not exist'
went "[$NET.10]" "delivered 2.0.0 $NET.10:25" 'an address literal'
went null.example 'bounced 5.1.10' 'null MX'
went missing.example 'bounced 5.1.2' 'no such domain'
went noaddr.example 'bounced 5.4.4' 'no MX host exists'
went exists.example 'bounced 5.4.4' 'no MX and no address'
went usonly.example 'bounced 5.4.6' 'the only MX has our address'
went usname.example 'bounced 5.4.6' 'the only MX has our name'
went local.example 'bounced 5.4.6' 'an MX on loopback'
went lohost.example 'bounced 5.4.6' 'an MX called localhost'
went "[$NET.1]" 'bounced 5.4.6' 'a literal of ours'
went "[127.0.0.1]" 'bounced 5.4.6' 'a literal of loopback'
went broken.example 'deferred 4.4.3' 'the name of an MX cannot be looked up'
went behind.example 'deferred 4.4.1' 'behind our preference nobody is tried'
like "$(grep '"deferred".*user@behind' "$T"/queue/log/events-*.jsonl)" \
    '"content":"closed\.example\['$NET'\.11:25\].*Connection refused' 'and the reason is that of the host before us'
like "$(outcome user@equalus.example)" '^(bounced 5\.4\.6|delivered)' 'an equal of ours'
if [ -n "$IPV6" ]; then
	went onlysix.example "delivered 2.0.0 [$SIX:10]:25" 'an MX with IPv6 only'
	went "[IPv6:$SIX:10]" "delivered 2.0.0 [$SIX:10]:25" 'an IPv6 literal'
	went dual.example "delivered 2.0.0 [$SIX:10]:25" 'IPv6 first where we have it'
	went dualhalf.example "delivered 2.0.0 $NET.12:25" 'IPv4 when IPv6 refuses'
fi
done_testing
