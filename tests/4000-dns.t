#!/bin/sh
# Routing by real name servers: NSD as the world's, Unbound as the resolver of a machine, both on
# loopback.  What a domain means is said in a zone file, and expected from RFC 5321 5.1 and RFC 7505.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/peers.sh"

PATH=$BUILD/helpers:$PATH
for p in nsd unbound; do
	[ -f "$PEERS/$p/libpath" ] || skip_all "no $p in build/peers: scripts/peers $p"
done

mkdir "$T/zones"
cat >"$T/zones/example" <<'END'
$ORIGIN example.
$TTL 300
@         SOA   ns root 1 3600 600 86400 60
@         NS    ns
ns        A     127.0.0.1
mx1       A     192.0.2.1
mx1       AAAA  2001:db8::1
mx2       A     192.0.2.2
mx2       A     192.0.2.3
mx6       AAAA  2001:db8::6
mxalias   CNAME mx1
two       MX    20 mx2
two       MX    10 MX1
null      MX    0 .
implicit  A     192.0.2.9
nodata    TXT   "nothing here"
alias     CNAME two
abroad    CNAME two.other.
dangling  CNAME nowhere
*.wild    MX    5 mx1
viaalias  MX    10 mxalias
nohost    MX    10 missing
noaddr    MX    10 nodata
six       MX    10 mx6
sub       NS    ns.sub
ns.sub    A     127.0.0.1
END
i=0
while [ $i -lt 60 ]; do
	echo "big MX $i a-rather-long-name-of-a-host-$i.with-a-long-domain-that-differs-$i"
	i=$((i + 1))
done >>"$T/zones/example"
cat >"$T/zones/other" <<'END'
$ORIGIN other.
$TTL 300
@    SOA ns.example. root 1 3600 600 86400 60
@    NS  ns.example.
two  MX  7 mx1.example.
END

NSD=$(free_port)
nsd_conf "127.0.0.1@$NSD" example other >"$T/nsd.conf"
UNBOUND=$(free_port)
cat >"$T/unbound.conf" <<END
server:
	interface: 127.0.0.1@$UNBOUND
	do-ip6: no
	do-daemonize: no
	use-syslog: no
	logfile: "$T/unbound.log"
	pidfile: "$T/unbound.pid"
	username: ""
	chroot: ""
	directory: "$T"
	module-config: "iterator"
	do-not-query-localhost: no
	access-control: 127.0.0.0/8 allow
remote-control:
	control-enable: no
stub-zone:
	name: "example"
	stub-addr: 127.0.0.1@$NSD
stub-zone:
	name: "other"
	stub-addr: 127.0.0.1@$NSD
stub-zone:
	name: "zone"
	stub-addr: 127.0.0.1@$NSD
END
bg env LD_LIBRARY_PATH="$(cat "$PEERS/nsd/libpath")" "$PEERS/nsd/usr/sbin/nsd" -d -c "$T/nsd.conf"
bg env LD_LIBRARY_PATH="$(cat "$PEERS/unbound/libpath")" "$PEERS/unbound/usr/sbin/unbound" \
    -d -c "$T/unbound.conf"

# q DOMAIN [option...]: through Unbound; world: from NSD itself
q() { d=$1; shift; dnsq -r "127.0.0.1@$UNBOUND" -t 10000 "$@" "$d"; }
world() { d=$1; shift; dnsq -r "127.0.0.1@$NSD" -t 10000 "$@" "$d"; }
works() { dnsq -r "127.0.0.1@$1" -t 1000 two.example | grep -q '^site'; }
until_true 40 works "$NSD" && until_true 60 works "$UNBOUND" || {
	sed 's/^/# /' "$T"/*.log
	skip_all 'the name servers do not start here'
}

for from in world q; do
	is "$($from two.example | sed 1d)" 'host 10 mx1.example 25
host 20 mx2.example 25' "$from: MX by preference, in lower case"
	is "$($from TWO.Example | sed 1d | head -1)" 'host 10 mx1.example 25' "$from: the domain in capitals"
	is "$($from null.example)" 'error 68 5.1.10 null.example accepts no mail: null MX' "$from: RFC 7505"
	is "$($from implicit.example)" 'site implicit.example
host 0 implicit.example 25' "$from: implicit MX"
	is "$($from nodata.example)" 'site nodata.example
host 0 nodata.example 25' "$from: a name without MX and address is looked up when it is tried"
	is "$($from missing.example)" 'error 68 5.1.2 MX of missing.example: no such domain' \
	    "$from: NXDOMAIN"
	is "$($from a.b.wild.example | sed 1d)" 'host 5 mx1.example 25' "$from: a wildcard"
	is "$($from alias.example | sed 1d)" 'host 10 mx1.example 25
host 20 mx2.example 25' "$from: a CNAME"
	is "$($from abroad.example | sed 1d)" 'host 7 mx1.example 25' "$from: a CNAME into another zone"
	is "$($from dangling.example)" 'error 68 5.1.2 MX of dangling.example: no such domain' \
	    "$from: a CNAME to nothing"
	is "$($from big.example | grep -c ^host)" 32 "$from: an answer that needs TCP, cut to the best"
	is "$($from big.example | sed -n 2p)" \
	    'host 0 a-rather-long-name-of-a-host-0.with-a-long-domain-that-differs-0.example 25' \
	    "$from: of 60 the best first"

	is "$($from viaalias.example -A -a 2001:db8::77 | sed 1d)" 'host 10 mxalias.example 25
addr [2001:db8::1]:25
addr 192.0.2.1:25' "$from: an MX that is a CNAME, and IPv6 first where we have it"
	is "$($from two.example -A | grep '^addr' | sort)" 'addr 192.0.2.1:25
addr 192.0.2.2:25
addr 192.0.2.3:25' "$from: no IPv6 where we have none"
	is "$($from six.example -A | sed 1,2d)" 'addr [2001:db8::6]:25' \
	    "$from: but if there is nothing else"
	is "$($from nohost.example -A | sed 1,2d)" \
	    'none 68 addresses of missing.example: no such host' "$from: an MX host that does not exist"
	is "$($from noaddr.example -A | sed 1,2d)" 'none 68 nodata.example has no address' \
	    "$from: an MX host without address"
	is "$($from two.example -A -a 192.0.2.3 | tail -2)" 'addr 192.0.2.2:25
loop' "$from: an address of ours is left out"
	is "$($from two.example -n mx2.example | sed 1d)" 'host 10 mx1.example 25' \
	    "$from: behind our own name nothing is left"
	like "$($from two.example -n mx1.example)" '^error 69 5\.4\.6 ' "$from: we are the best"
done

is "$(q no.such.zone | cut -c1-12)" 'error 75 4.4' 'a zone that nobody serves is temporary (SERVFAIL)'
like "$(q no.such.zone)" 'SERVFAIL$' 'and says why'
like "$(world no.such.zone)" '^error 75 4\.4\.3 .*REFUSED$' 'REFUSED is temporary'
like "$(world x.sub.example)" '^error 75 4\.4\.3 .*does not recurse$' \
    'a referral is not an empty answer'
is "$(dnsq -r 127.0.0.1@$NSD,127.0.0.1@$UNBOUND -t 10000 x.y.two.example no.such.zone two.example |
    tail -1)" 'host 20 mx2.example 25' 'one resolver for many questions, and the next server where one refuses'
done_testing
