# world.sh - two network namespaces, here and the world, and the name servers of both, behind lib.sh and peers.sh.
#
#     world_start HOST...   a namespace of our own, $NET.1, and behind a wire another one with $NET.HOST...:
#                           `world COMMAND` runs there.  The test is begun again, in the first.
#     names_start           NSD at $NET.53 there, with zones/example (signed by `anchor`) and zones/plain (which is
#                           not), and Unbound here, which validates
#     names_ready NAME      once they answer for it; else the test is skipped
NET=198.51.100

world() { nsenter -t $WORLD -n "$@"; }
world_other() { [ "$(readlink /proc/$WORLD/ns/net)" != "$(readlink /proc/self/ns/net)" ]; }
world_start() {
	[ "$(id -u)" -eq 0 ] || skip_all 'network namespaces need root'
	need ip unshare nsenter mount
	for p in nsd unbound; do
		[ -f "$PEERS/$p/libpath" ] || skip_all "no $p in build/peers: scripts/peers $p"
	done
	if [ -z "${IN_NAMESPACE-}" ]; then
		unshare -n -m true 2>/dev/null || skip_all 'no namespaces here'
		rm -rf "$T"
		IN_NAMESPACE=yes exec unshare -n -m "$0"
	fi
	bg unshare -n sleep 600
	WORLD=$!
	until_true 40 world_other
	ip link add here type veth peer name there netns $WORLD 2>/dev/null || skip_all 'no veth devices here'
	ip link set lo up
	ip addr add $NET.1/24 dev here
	ip link set here up
	world ip link set lo up
	for i; do world ip addr add "$NET.$i/24" dev there; done
	world ip link set there up
}

names_start() {
	nsd_conf $NET.53 example plain >nsd.conf
	bg nsenter -t $WORLD -n env LD_LIBRARY_PATH="$(cat "$PEERS/nsd/libpath")" "$PEERS/nsd/usr/sbin/nsd" -d -c nsd.conf
	cat >unbound.conf <<-END
	server:
	interface: 127.0.0.1
	interface: $NET.1
	do-ip6: no
	do-daemonize: no
	use-syslog: no
	logfile: "$T/unbound.log"
	pidfile: "$T/unbound.pid"
	username: ""
	chroot: ""
	directory: "$T"
	module-config: "validator iterator"
	trust-anchor-file: "$T/anchor"
	domain-insecure: "plain"
	domain-insecure: "arpa"
	access-control: 0.0.0.0/0 allow
	remote-control:
	control-enable: no
	stub-zone:
	name: "example"
	stub-addr: $NET.53
	stub-zone:
	name: "plain"
	stub-addr: $NET.53
	END
	bg env LD_LIBRARY_PATH="$(cat "$PEERS/unbound/libpath")" "$PEERS/unbound/usr/sbin/unbound" -d -c unbound.conf
}
names_answer() { dnsq -r 127.0.0.1 -t 1000 "$1" | grep -q ^site; }
names_ready() {
	until_true 40 names_answer "$1" && return
	sed 's/^/# /' nsd.log unbound.log
	skip_all 'the name servers do not start here'
}

# outcome DOMAIN: of the last event of its recipient: its type, and how TLS was or why not
outcome() {
	python3 -c '
import glob, json, sys
last = {"type": "nothing"}
for f in sorted(glob.glob("queue/log/*.jsonl")):
    for e in map(json.loads, open(f)):
        if e.get("recipient") == sys.argv[1]:
            last = e
tls = " ".join(last.get("tls", "clear").split()[2:]) or ("TLS" if "tls" in last else "clear")
r = last.get("response", {})
print(last["type"], tls if last["type"] == "delivered" else r.get("enhanced_code", "") + " " + r.get("content", ""))' "user@$1"
}
post() {
	for d; do printf 'Subject: to %s\n\nHello.\n' "$d" | smtp-submit -f sender@relay.test "user@$d"; done
	smtp-deliver --now >out 2>err
}
went() { is "$(outcome "$1")" "$2" "$3"; }
went_like() { like "$(outcome "$1")" "$2" "$3"; }
