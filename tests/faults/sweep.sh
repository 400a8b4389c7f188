# sweep.sh - what the fault sweeps share:  . "$TOP/tests/faults/sweep.sh"  after lib.sh
#
# A sweep visits points: one run of a program, struck at one place, and a look at what is left.
# FAULT_POINTS of them (200; "all") are drawn by FAULT_SEED, which is printed: give it again to see the same.

FAULT_POINTS=${FAULT_POINTS:-200}
FAULT_SEED=${FAULT_SEED:-$(date +%s)}
faults=$TOP/tests/faults

# draw <LINES: as many of them as a sweep visits, in their order
draw() {
	[ "$FAULT_POINTS" != all ] || { cat; return; }
	awk -v want="$FAULT_POINTS" -v seed="$FAULT_SEED" '
		{ line[NR] = $0 }
		END {
			srand(seed)
			for (i = 1; i <= NR; i++)
				if (rand() * (NR - i + 1) < want) { print line[i]; want-- }
		}'
}

# calls [FAULTRUN OPTIONS] -- COMMAND...: how many calls of it faultrun would count
calls() {
	faultrun "$@" 2>&1 >/dev/null </dev/null | sed -n 's/^faultrun: calls //p'
}

# private_mounts SCRIPT: starts it again in a mount namespace of its own, so that whatever happens to it
# no mount is left behind; a user without root gets one where user namespaces allow it
private_mounts() {
	[ -z "${PRIVATE_MOUNTS:-}" ] || return 0
	for how in "-m --propagation private" "-rm --propagation private"; do
		# shellcheck disable=SC2086
		unshare $how true 2>/dev/null || continue
		rm -rf "$T"
		PRIVATE_MOUNTS=1 exec unshare $how "$1"
	done
	skip_all "no mount namespace of our own (needs root, or user namespaces)"
}

# crashfs_start DIR [OPTIONS]: mounted on DIR when it returns
crashfs_start() {
	fs_dir=$1
	shift
	mkdir -p "$fs_dir"
	bg crashfs "$@" "$fs_dir" 2>"$T/crashfs.err"
	fs_pid=$!
	until_true 5 test -e "$fs_dir/.crashfs" || skip_all "crashfs: $(cat "$T/crashfs.err")"
}

crashfs_stop() {
	umount "$fs_dir"
	wait "$fs_pid"
}

# fs COMMAND...: an order to crashfs
fs() {
	echo "$*" >"$fs_dir/.crashfs"
}

# fs_ops: the changing calls it has seen
fs_ops() {
	read -r _ n _ <"$fs_dir/.crashfs"
	echo "$n"
}

# seeds: what is kept of the unsynced at one point
fs_dice="none:rand 1:rand 2"

# badpeer_start MODE: its port is $PORT, what it received "$T/got"
badpeer_start() {
	rm -f "$T/port"
	bg "$faults/badpeer" --port-file "$T/port" --log "$T/got" "$1"
	peer_pid=$!
	until_true 5 test -s "$T/port" || { echo "Bail out! badpeer did not start"; exit 1; }
	PORT=$(cat "$T/port")
}

badpeer_stop() {
	kill "$peer_pid"
	wait "$peer_pid" 2>/dev/null
}
