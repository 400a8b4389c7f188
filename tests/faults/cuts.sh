# cuts.sh - the power is cut at every operation of crashfs, a file system that forgets what was not synced,
# with and without luck for the unsynced.  Beside lib.sh and sweep.sh, which it needs.
# shellcheck shell=sh

q=$T/m/q
input=/dev/null

# power_points: every operation of $victim, with nothing kept and with some throws of the dice; one more
# point is the end
power_points() {
	prepare
	before=$(fs_ops)
	# shellcheck disable=SC2086
	$victim <"$input" >"$T/ack" 2>"$T/said" || echo "# without a cut: exit $? $(cat "$T/said")" >&2
	n=$(($(fs_ops) - before + 1))
	for i in $(seq "$n"); do
		printf '%s\n' "$i" "$i rand $i" "$i rand 1$i" "$i rand 2$i"
	done
}

# cuts WHAT: like sweep, with the power cut at each point; $acks are the ids that were acknowledged before it
cuts() {
	visited=0 bad=0
	power_points | draw >"$T/points"
	while read -r at dice; do
		prepare
		fs "at $at $dice"
		# shellcheck disable=SC2086
		timeout 60 $victim <"$input" >"$T/ack" 2>"$T/said"
		rc=$?
		[ "$(fs_crashed)" = 1 ] || fs "crash $dice"
		fs recover
		visited=$((visited + 1))
		wrong=$(verify)
		[ -n "$wrong" ] || continue
		bad=$((bad + 1))
		[ "$bad" -le 5 ] || continue
		echo "# at $at $dice: exit $rc, $wrong" | head -c 1000
		sed 's/^/#   /' "$T/said"
	done <"$T/points"
	[ "$visited" -gt 0 ] && [ "$bad" -eq 0 ]
	result $? "$model: $1: $visited cuts, $bad bad (FAULT_SEED=$FAULT_SEED)"
}
fs_crashed() {
	read -r stats <"$fs_dir/.crashfs"
	echo "${stats##* }"
}

# sync_all: what `prepare` made is durable
sync_all() {
	find "$q" -type f -exec sync {} +
	find "$q" -depth -type d -exec sync {} +
	sync "$T/m"
}
empty() {
	rm -rf "$q"
	sync "$T/m"
}
copy_of() {
	empty
	cp -a "$1" "$q"
	sync_all
}

# numbers: the letters that are in the queue, whole, each as often as it is there; "BAD" for others
numbers() {
	for id in $(entries "$q" new cur hold | ids); do
		number=$(entry_ok "$q" "$id")
		echo "${number:-BAD}"
	done | sort
}
check() {
	[ -d "$q/new" ] || return 0
	smtp-queue --queue "$q" check >"$T/.check" 2>&1
	case $? in
	0 | 1 | 65 | 75) ;;
	*) echo "check: $(cat "$T/.check"); " ;;
	esac
}
acked() {
	sed -n 's/^250 2\.0\.0 \([0-9a-z]\{16\}\) queued.*/\1/p; s/^250 2\.0\.0 Ok: queued as \([0-9a-z]\{16\}\).*/\1/p' "$T/ack"
}
# promised: what was acknowledged before the cut is there, nothing is there twice or half
promised() {
	check
	here=$(numbers)
	acked | while read -r id; do
		[ -n "$(find "$q/new" -name "*.$id,*")" ] || echo "$id was acknowledged, and is not there"
	done
	[ "$(echo "$here" | uniq)" = "$here" ] || echo "twice: $here"
	case $here in *BAD*) echo "not whole" ;; esac
}
