# sweep.sh - what the fault sweeps share:  . "$TOP/tests/faults/sweep.sh"  after lib.sh
#
# A sweep visits points: one run of a program, struck at one place, and a look at what is left.
# FAULT_POINTS of them (200; "all") are drawn by FAULT_SEED, which is printed: give it again to see the same.

FAULT_POINTS=${FAULT_POINTS:-200}
FAULT_SEED=${FAULT_SEED:-$(date +%s)}
faults=$TOP/tests/faults
# The leak checker cannot work under ptrace.
ASAN_OPTIONS=detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}
export ASAN_OPTIONS

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

# need_faultrun: skips where nothing may be traced (another processor, a container that forbids it)
need_faultrun() {
	need faultrun
	faultrun -n true >"$T/.out" 2>&1 || skip_all "faultrun cannot trace here: $(tail -1 "$T/.out")"
}

# calls [FAULTRUN OPTIONS] -- COMMAND...: how many calls of it faultrun would count
calls() {
	faultrun "$@" 2>&1 >/dev/null </dev/null | sed -n 's/^faultrun: calls //p'
}

can_mount() {
	unshare -m true 2>/dev/null || unshare -rm true 2>/dev/null
}

# private_mounts SCRIPT: starts it again in a mount namespace of its own, so that whatever happens to it
# no mount is left behind; a user without root gets one where user namespaces allow it
private_mounts() {
	if [ -n "${PRIVATE_MOUNTS:-}" ]; then
		trap 'unmount_all; cleanup' EXIT
		return
	fi
	for how in "-m --propagation private" "-rm --propagation private"; do
		# shellcheck disable=SC2086
		unshare $how true 2>/dev/null || continue
		rm -rf "$T"
		PRIVATE_MOUNTS=1 exec unshare $how "$1"
	done
	skip_all "no mount namespace of our own (needs root, or user namespaces)"
}

unmount_all() {
	awk -v t="$T/" 'index($2, t) == 1 { print $2 }' /proc/self/mounts | sort -r | while read -r m; do
		umount -l "$m"
	done
}

# crashfs_start DIR [OPTIONS]: mounted on DIR when it returns
crashfs_start() {
	fs_dir=$1
	shift
	mkdir -p "$fs_dir"
	bg crashfs "$@" "$fs_dir" 2>"$T/crashfs.err"
	fs_pid=$!
	until_true 40 test -e "$fs_dir/.crashfs" || skip_all "crashfs: $(cat "$T/crashfs.err")"
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

# badpeer_start MODE [--log FILE]: its port is $PORT, what it received "$T/got"
badpeer_start() {
	rm -f "$T/port"
	bg "$faults/badpeer" --port-file "$T/port" --log "$T/got" "$@"
	peer_pid=$!
	until_true 40 test -s "$T/port" || { echo "Bail out! badpeer did not start"; exit 1; }
	PORT=$(cat "$T/port")
}

badpeer_stop() {
	kill "$peer_pid"
	wait "$peer_pid" 2>/dev/null
}

# --- strikes at system calls

errors="EIO ENOSPC" # what calls fail with
with=               # options of faultrun
input=/dev/null     # stdin of the victim

# points: every point of $victim, one a line, as strike takes them
points() {
	# shellcheck disable=SC2086
	n=$(faultrun $with -n $victim <"$input" 2>&1 >/dev/null | sed -n 's/^faultrun: calls //p')
	for i in $(seq "${n:-0}"); do
		printf '%s\n' "-k $i" "-a $i" "-w $i"
		for error in $errors; do
			printf '%s\n' "-e $i $error" "-E $i $error"
		done
	done
}

# strike HOW AT [ERROR]: runs the victim, struck there
strike() {
	# shellcheck disable=SC2086
	timeout 60 faultrun -v $with "$@" $victim
}

# sweep WHAT: strikes at the points of $victim, a command.  Before each `prepare` makes the same
# state; after it `verify` prints whatever is wrong, and sees $how (-k -a -e -E -w), $rc, "$T/ack"
# (stdout) and "$T/said" (stderr).  One test line; the first failures are told.
sweep() {
	visited=0 bad=0
	prepare
	points | draw >"$T/points"
	while read -r how at error; do
		prepare
		# shellcheck disable=SC2086
		strike $how $at $error <"$input" >"$T/ack" 2>"$T/said"
		rc=$?
		visited=$((visited + 1))
		wrong=$(plain_death; verify)
		[ -n "$wrong" ] || continue
		bad=$((bad + 1))
		[ "$bad" -le 5 ] || continue
		echo "# $how $at $error: exit $rc, $wrong" | head -c 1000
		sed 's/^/#   /' "$T/said"
	done <"$T/points"
	[ "$visited" -gt 0 ] && [ "$bad" -eq 0 ]
	result $? "$1: $visited points, $bad bad (FAULT_SEED=$FAULT_SEED)"
}

# plain_death: what no program may do at any point
plain_death() {
	case $how:$rc in
	-k:137 | -a:137) ;;
	*:124) echo "it hangs; " ;;
	*:125 | *:126 | *:127) echo "the test is wrong; " ;;
	-[eE]:0)
		grep -q 'call [0-9]*: \(fsync\|fdatasync\|syncfs\)$' "$T/said" && echo "a sync failed, and that is success; "
		;;
	*:12[89] | *:1[3-9]? | *:2??) echo "it died of a signal; " ;;
	esac
}

killed() {
	[ "$rc" -eq 137 ]
}

# --- what is in a queue, by its directory alone: relaykit-queue(5)

# entries DIR [PLACE...]: "PLACE ID" of each
entries() {
	dir=$1
	shift
	[ $# -gt 0 ] || set -- new cur hold failed sent damaged
	for place; do
		for f in "$dir/$place"/* "$dir/$place"/*/*; do
			f=${f##*/}
			case $f in
			*.*,*,*,*)
				f=${f#*.}
				echo "$place ${f%%,*}"
				;;
			esac
		done
	done
}

# ids: the second words
ids() {
	while read -r _ id; do echo "$id"; done
}

# sound: the queue $T/q has whole entries alone and takes another, $T/letters/1; prints what is wrong.
sound() {
	[ -z "$(entries "$T/q" damaged)" ] || echo "an entry was set aside"
	for f in "$T"/q/new/.[!.]*; do
		[ ! -e "$f" ] || killed || echo "${f##*/} was left behind"
	done
	smtp-submit --queue "$T/q" -odq -f a@example.org x@example.org <"$T/letters/1" 2>"$T/.err" ||
		echo "the next one: $(cat "$T/.err")"
	smtp-queue --queue "$T/q" check >"$T/.check" 2>&1 || echo "check: $(cat "$T/.check")"
}

# letter NUMBER [BYTES]: a message in the form in which it must come out again, and goes in
letter() {
	printf 'Date: Sat, 21 Nov 2026 12:00:00 +0000\r\nFrom: a@example.org\r\nTo: b@example.net\r\n'
	printf 'Message-ID: <%s@sweep>\r\nSubject: letter %s\r\n\r\n' "$1" "$1"
	printf 'The first line.\r\n..A line with a dot.\r\n'
	[ $# -lt 2 ] || awk -v n="$2" 'BEGIN { for (i = 0; i < n; i += 64)
		printf "%062d\r\n", i }'
}

# letters_in FILE...: "NUMBER RECIPIENT..." of each file that is one of "$T/letters" but for trace lines on
# top (the recipients as smtp-trap notes them); "torn ..." of others
letters_in() {
	awk -v dir="$T/letters" '
	# In parts: awk copies a string to append to it, which takes its time at 300 KB.
	function add(line) {
		part = part line "\n"
		if (length(part) > 8192) { text = text part; part = "" }
	}
	function whole() { text = text part; part = ""; return text }
	function told() { if (name != "") print (whole() in known ? known[text] : "torn") to }
	BEGIN {
		RS = "\n"
		while (("ls " dir) | getline number) {
			text = ""
			while ((getline line < (dir "/" number)) > 0)
				add(line)
			known[whole()] = number
		}
		name = ""
	}
	FNR == 1 { told(); name = FILENAME; text = to = ""; kept = 0 }
	!kept && sub(/^X-Envelope-To: </, "") { sub(/>.*/, ""); to = to " " $0; next }
	!kept && /^(Received|Authentication-Results|X-)|^[ \t]/ { next }
	{ kept = 1; add($0) }
	END { told() }' "$@"
}

# entry_ok DIR ID: the number of the letter that an entry is, as smtp-queue shows it; nothing if it is none
entry_ok() {
	smtp-queue --queue "$1" show --message "$2" >"$T/.shown" 2>>"$T/said" || return
	number=$(letters_in "$T/.shown")
	[ "${number%torn*}" ] && echo "$number"
}

# entries_whole: $found entries are in $T/q; says which are not whole or there twice, and which of $T/acked are not there
entries_whole() {
	found=0 numbers=
	for id in $(entries "$T/q" | ids); do
		found=$((found + 1))
		number=$(entry_ok "$T/q" "$id")
		case " $numbers " in
		*" ${number:-none} "*) echo "letter $number is there twice" ;;
		esac
		[ -n "$number" ] || echo "$id is not whole"
		numbers="$numbers $number"
	done
	while read -r id; do
		[ -n "$(find "$T/q/new" -name "*.$id,*")" ] || echo "$id was acknowledged and is not there"
	done <"$T/acked"
}

# --- a real file system on a disk that is recorded

disk_bytes=12M

# disk_start TYPE: an empty file system of that type on $T/disk, its directory is $T/m; marks go to $T/f/mark
disk_start() {
	work=$T/disk
	mkdir -p "$work" "$T/f" "$T/m" "$T/c"
	# In memory: each cut is a disk that is flushed many times while it recovers.
	mountpoint -q "$work" || mount -t tmpfs none "$work"
	truncate -s "$disk_bytes" "$work/image"
	"mkfs.$1" -qF "$work/image" 2>"$T/mkfs.err" || skip_all "mkfs.$1: $(cat "$T/mkfs.err")"
	bg crashblk serve "$T/f" "$work/image" "$work/log" 2>"$T/crashblk.err"
	blk_pid=$!
	until_true 40 test -e "$T/f/disk" || skip_all "crashblk: $(cat "$T/crashblk.err")"
	mount -o loop,noatime "$T/f/disk" "$T/m" 2>"$T/mount.err" || skip_all "no loop device: $(cat "$T/mount.err")"
}

# disk_from_here: what comes is the recording, what was is its start
disk_from_here() {
	sync -f "$T/m"
	cp --sparse=always "$work/image" "$work/start"
	log_from=$(stat -c %s "$work/log")
}

# disk_stop: the recording is $work/run, without the writes of the unmounting; $records of them
disk_stop() {
	tail -c "+$((log_from + 1))" "$work/log" >"$work/run"
	umount "$T/m"
	umount "$T/f"
	wait "$blk_pid"
	read -r _ records _ <<-END
		$(crashblk count "$work/run")
	END
}

# disk_cut AT HOW SEED: the disk after that power cut is mounted on $T/c, "$T/ack" has the marks
disk_cut() {
	crashblk replay "$work/start" "$work/run" "$work/cut" "$1" "$2" "$3" >"$T/ack" &&
		mount -o loop,noatime "$work/cut" "$T/c"
}

# disk_cuts: at every record of the recording, drawn; `look` says what is wrong with the disk on $T/c
disk_cuts() {
	visited=0 bad=0
	for at in $(seq "$records"); do
		printf '%s\n' "$at none 0" "$at all 0" "$at rand $at" "$at rand 1$at"
	done | draw >"$T/points"
	while read -r at how seed; do
		visited=$((visited + 1))
		wrong=$(disk_cut "$at" "$how" "$seed" 2>&1 || echo 'it cannot be mounted')
		[ -n "$wrong" ] || wrong=$(look)
		umount "$T/c"
		[ -n "$wrong" ] || continue
		bad=$((bad + 1))
		[ "$bad" -le 5 ] && echo "# at $at $how $seed: $wrong" | head -c 1000
	done <"$T/points"
	is "$bad" 0 "$visited cuts, none bad (FAULT_SEED=$FAULT_SEED)"
}
