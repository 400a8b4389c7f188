# twonets.sh - two network namespaces, ours and that of the world's servers, of which nobody else knows:
#     . "$(dirname "$0")/twonets.sh"  after lib.sh, before anything else is made
# The addresses are those of documentation (RFC 5737, RFC 3849).
# shellcheck shell=sh
[ "$(id -u)" -eq 0 ] || skip_all 'network namespaces need root'
need ip unshare nsenter python3
if [ -z "${IN_NAMESPACE-}" ]; then
	unshare -n true 2>/dev/null || skip_all 'no network namespaces here'
	rm -rf "$T"
	IN_NAMESPACE=yes exec unshare -n "$0"
fi

NET=198.51.100
SIX=2001:db8:
# world COMMAND...: there
world() { nsenter -t $WORLD -n "$@"; }
# The child is in its own namespace a moment after it is started.
elsewhere() { [ "$(readlink /proc/$WORLD/ns/net)" != "$(readlink /proc/self/ns/net)" ]; }

# two_nets HOST...: we are $NET.1, they $NET.HOST; likewise of $SIX:, where there is IPv6 (IPV6 is set)
two_nets() {
	bg unshare -n sleep 600
	WORLD=$!
	until_true 40 elsewhere
	ip link add here type veth peer name there netns $WORLD 2>/dev/null || skip_all 'no veth devices here'
	ip link set lo up
	ip addr add $NET.1/24 dev here
	ip -6 addr add $SIX:1/64 dev here nodad 2>/dev/null && IPV6=yes || IPV6=
	ip link set here up
	world ip link set lo up
	for i; do
		world ip addr add $NET.$i/24 dev there
		[ -z "$IPV6" ] || world ip -6 addr add $SIX:$i/64 dev there nodad
	done
	world ip link set there up
}
