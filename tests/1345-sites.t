#!/bin/sh
# Sites: what is one, budgets that sets of hosts share, sections of the configuration, pools of addresses.
. "$(dirname "$0")/lib.sh"

need python3
PATH=$BUILD/helpers:$PATH
cd "$T" || exit 1
export RELAYKIT_QUEUE="$T/q" RELAYKIT_CONFIG="$T/conf"

# --- what mx-lookup calls them: a name server with a table
cat >dns.py <<'E'
import os, socket, struct, sys
table = {
    "g.example": ["aspmx.l.google.com", "alt1.aspmx.l.google.com"],
    "g2.example": ["smtp.google.com"],
    "mixed.example": ["aspmx.l.google.com", "mx.mixed.example"],
    "m.example": ["m-example.mail.protection.outlook.com"],
    "own.example": ["mx1.own.example", "mx2.own.example"],
    "one.example": ["mx.one.example"],
    "ours.example": ["a.mx.ours.example", "b.mx.ours.example"],
}
def name(n):
    return b"".join(bytes([len(l)]) + l.encode() for l in n.split(".")) + b"\0"
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
with open("dns.tmp", "w") as f:
    f.write(str(s.getsockname()[1]))
os.rename("dns.tmp", "dns")
while True:
    p, peer = s.recvfrom(4096)
    at, labels = 12, []
    while p[at]:
        labels.append(p[at + 1:at + 1 + p[at]].decode())
        at += 1 + p[at]
    kind, = struct.unpack(">H", p[at + 1:at + 3])
    answer = b""
    hosts = table.get(".".join(labels), []) if kind == 15 else []
    for i, h in enumerate(hosts):
        data = struct.pack(">H", 10 * i + 10) + name(h)
        answer += b"\xc0\x0c" + struct.pack(">HHIH", 15, 1, 60, len(data)) + data
    s.sendto(p[:2] + b"\x84\x00" + struct.pack(">HHHH", 1, len(hosts), 0, 0) + p[12:at + 5] + answer, peer)
E
bg python3 dns.py
until_true 40 test -s dns
cat >conf <<E
hostname = "h.example"
resolver = "127.0.0.1@$(cat dns)"
site ".mx.ours.example" { tls = encrypt }
site "one.example" { rate = 5 }
E
is "$(printf '%s\n' g.example g2.example mixed.example m.example own.example one.example ours.example '[192.0.2.1]' |
    mx-lookup --site | sed 's/+[0-9a-f]\{8\}$/+crc/')" "g.example	google
g2.example	google
mixed.example	aspmx.l.google.com+crc
m.example	microsoft
own.example	mx1.own.example+crc
one.example	one.example
ours.example	_mx.ours.example
[192.0.2.1]	192.0.2.1:25" 'mx-lookup --site: the table, sections, sets of hosts'
is "$(mx-lookup '[IPv6:fe80::1%eth0]'; echo $?)" '5.1.2 not an address literal
65' 'a literal that no recipient can have'

# --- four relays that a section calls one site: two connections in all
rm -f port
bg smtp-trap --listen 127.0.0.1:0 --port-file "$T/port" --latency 20 --json --discard >trap.json
until_true 40 test -s port
PORT=$(cat port)
{
	printf 'hostname = h.example\ndelivery = queue\nsite "farm" { mx = ".localhost" ip = ipv4 %s }\n' \
	    'connections = 2 connection_messages = 5'
	for i in 1 2 3 4; do printf 'route "d%d.example" { relay = "r%d.localhost:%d" }\n' $i $i "$PORT"; done
} >conf
for i in 1 2 3 4; do printf 'x\r\n' | qput q -n 12 -d d$i.example b@d$i.example >/dev/null; done
is "$(smtp-deliver -v 2>&1)" 'delivered 48 deferred 0 failed 0 expired 0' 'four sets of hosts of one site'
closed() { [ "$(grep -c '"type":"disconnected"' trap.json)" -eq "$(grep -c '"type":"connected"' trap.json)" ]; }
until_true 40 closed
# most connections at once, and most messages over one
python3 - >counts <<'E'
import json
have = most = 0
per = {}
for line in open("trap.json"):
    e = json.loads(line)
    if e["type"] == "connected":
        have += 1
        most = max(most, have)
    elif e["type"] == "disconnected":
        have -= 1
        per[e["connection"]] = e["messages"]
print(most <= 2, max(per.values()) <= 5, len(per) >= 10)
E
is "$(cat counts)" 'True True True' 'never had more than two connections, nor five messages over one'
is "$(cat q/log/*.jsonl | grep -c '"type":"delivered".*"site":"farm"')" 48 'the events say whose they are'
is "$(cd q/state/sites && echo *)" farm 'and one file has what was learned'

# --- one of them is silent: the others go on
rm -rf q
sed -i "s/r4.localhost:$PORT/r4.localhost:1/" conf
for i in 1 4; do printf 'x\r\n' | qput q -n 3 -d d$i.example b@d$i.example >/dev/null; done
is "$(smtp-deliver -v 2>&1)" 'delivered 3 deferred 1 failed 0 expired 0' 'a set that cannot be reached is no reason to leave the others'
is "$(cd q/state/sites && echo *)" 'farm r4.localhost:1,hosts' 'its failure is written down for itself'
like "$(cat q/state/sites/r4.localhost:1,hosts)" '^allowed=[0-9]+ slowed=0 failures=1 closed_for=[0-9]+$' 'with how long it is closed'
is "$(find q/cur -type f | wc -l)" 3 'what waits for it waits'
printf 'x\r\n' | qput q -n 2 -d d4.example b@d4.example >/dev/null
is "$(smtp-deliver -v 2>&1)" 'delivered 0 deferred 0 failed 0 expired 0' 'the next run knows that'
printf 'x\r\n' | qput q -d d1.example b@d1.example >/dev/null
is "$(smtp-deliver -v 2>&1)" 'delivered 1 deferred 0 failed 0 expired 0' 'and that the others are well'

# --- a site that is a relay
rm -rf q
cat >conf <<E
hostname = h.example
delivery = queue
site "127.0.0.1" { rate = 60 }
route "*" { relay = "127.0.0.1:1" }
E
printf 'x\r\n' | qput q -n 3 -d d1.example b@d1.example >/dev/null
is "$(smtp-deliver -v 2>&1)" 'delivered 0 deferred 1 failed 0 expired 0' 'a site section by the relay'
is "$(ls q/state/sites | LC_ALL=C sort | tr '\n' ' ')" '127.0.0.1 127.0.0.1,rate 127.0.0.1:1,hosts ' 'with a rate of its own'

# --- pools: by stream and site, by weight, each with its name
rm -rf q
rm -f port
bg smtp-trap --listen 127.0.0.1:0 --port-file "$T/port" --maildir "$T/trap"
until_true 40 test -s port
cat >conf <<E
hostname = h.example
delivery = queue
connection_messages = 1
pool "bulk/1" { address = "127.0.0.11" ehlo = "one.example" weight = 3 }
pool "bulk/2" { address = "127.0.0.12" ehlo = "two.example" }
pool "late" { address = "127.0.0.13" }
pool "gone/1" { address = "192.0.2.77" }
pool "gone/2" { address = "127.0.0.14" }
pool "lost" { address = "2001:db8::77, 192.0.2.77" }
pool "six" { address = "::1" }
stream "bulk" { pool = "bulk" }
stream "gone" { pool = "gone" }
stream "lost" { pool = "lost" }
stream "six" { pool = "six" }
site "farm" { domains = ".late.example" pool = "bulk:late" }
route "*" { relay = "127.0.0.1:$(cat port)" }
E
put() { n=$1; shift; while [ "$n" -gt 0 ]; do printf 'Subject: x\n\nx\n' | smtp-submit -f a@h.example "$@"; n=$((n - 1)); done; }
put 8 -O stream=bulk b@d.example
put 2 -O stream=bulk l@late.example
put 1 m@late.example
put 2 -O stream=gone g@d.example
put 1 -O stream=lost x@d.example
put 1 -O stream=six s@d.example
put 1 m@d.example
is "$(smtp-deliver -v 2>&1)" 'delivered 14 deferred 2 failed 0 expired 0' 'streams by their pools'
cat >sources.py <<'E'
import collections, glob, json
n = collections.Counter()
for f in glob.glob("q/log/*.jsonl"):
    for e in map(json.loads, open(f)):
        if e["type"] in ("delivered", "deferred"):
            a = e.get("source_address", {})
            n[e["type"], e["recipient"], a.get("name", ""), a.get("addr", "")] += 1
for k, v in sorted(n.items()):
    print(v, *k)
E
is "$(python3 sources.py | tr -s ' ')" "1 deferred s@d.example 
1 deferred x@d.example 
6 delivered b@d.example one.example 127.0.0.11
2 delivered b@d.example two.example 127.0.0.12
2 delivered g@d.example h.example 127.0.0.14
2 delivered l@late.example h.example 127.0.0.13
1 delivered m@d.example 
1 delivered m@late.example " 'by weight, stream and site; events have the address'
is "$(cat trap/new/* | sed -n 's/^X-Trap-Peer: \(.*\):.*/\1/p' | sort | uniq -c | tr -s ' ')" " 2 127.0.0.1
 6 127.0.0.11
 2 127.0.0.12
 2 127.0.0.13
 2 127.0.0.14" 'where the trap was asked from'
why() { cat q/log/*.jsonl | python3 -c '
import json, sys
for e in map(json.loads, sys.stdin):
    if e["type"] == "deferred" and e["recipient"] == sys.argv[1]:
        print(e["response"]["enhanced_code"], e["response"]["content"])' "$1"; }
like "$(why x@d.example)" '^4.3.5 127.0.0.1\[127.0.0.1:[0-9]*\]: connect 127.0.0.1:[0-9]*: from: address 192.0.2.77: Cannot assign requested address$' \
    'an address that is not here'
is "$(why s@d.example)" '4.3.5 127.0.0.1 has addresses that pool "six" cannot reach: it has none of their kind' 'a pool of the other kind'
fails 'a dry run says so' 78 'smtp-deliver: pool "gone/1": address 192.0.2.77: Cannot assign requested address' smtp-deliver --dry-run=route
fails 'so does mx-lookup' 78 'mx-lookup: pool "gone/1": address 192.0.2.77: Cannot assign requested address' mx-lookup d.example
sed -i '/192.0.2.77/d; /"lost"/d; /pool = "gone"/d' conf
put 1 -O stream=bulk b@d.example
like "$(smtp-deliver --dry-run=connect --now | grep b@d.example)" 'send.*may' 'where all are here it goes on'

# --- the name that a pool says is ours: an MX of that name loops
printf 'pool "default" { address = "127.0.0.1" ehlo = "mx.one.example" }\nresolver = "127.0.0.1@%s"\n' "$(cat dns)" >conf
is "$(mx-lookup --hosts one.example)" '5.4.6 mail for one.example loops back to this host' "a pool's name is ours"
# --- that hosts do not meet what one domain holds them to keeps no other domain's mail back: whoever has a
# domain can publish a policy for anybody's hosts
rm -rf q port
bg smtp-trap --listen 127.0.0.1:0 --port-file "$T/port" --discard
until_true 40 test -s port
PORT=$(cat port)
for site in '' 'site "farm" { mx = ".localhost" ip = ipv4 }'; do
	printf '%s\n' 'hostname = h.example' 'delivery = queue' 'retry_min = 1h' "$site" \
	    "route \"strict.example\" { relay = \"r1.localhost:$PORT\" tls = encrypt }" \
	    "route \"a.example\" { relay = \"r1.localhost:$PORT\" }" >conf
	printf 'x\r\n' | qput q -d strict.example b@strict.example >/dev/null
	is "$(smtp-deliver -v 2>&1)" 'delivered 0 deferred 1 failed 0 expired 0' "a policy that is not met ${site:+(in a section)}"
	printf 'x\r\n' | qput q -d a.example b@a.example >/dev/null
	is "$(smtp-deliver -v 2>&1)" 'delivered 1 deferred 0 failed 0 expired 0' 'and mail of another domain by the same hosts'
	is "$(cat q/log/*.jsonl | grep '"deferred"' | grep -c '"code"')" 0 'nobody has replied to what was not said'
	rm -rf q
done
done_testing
