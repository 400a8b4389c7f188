#!/bin/sh
# crashblk finds wrong orders of fsync on a real ext4: a toy queue writer is recorded and cut between any
# two writes of the disk.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/faults/sweep.sh"
need crashblk toyqueue unshare mkfs.ext4
private_mounts "$0"

# power ORDER: lost and torn over all points
power() {
	lost=0 torn=0
	disk_start ext4
	mkdir "$T/m/tmp" "$T/m/new"
	disk_from_here
	toyqueue put "$T/m" "$1" 6 >"$T/f/mark"
	disk_stop
	for at in $(seq 1 2 "$records"); do
		disk_cut "$at" "$2" "$at" || { lost=unmountable; break; }
		out=$(toyqueue check "$T/c" <"$T/ack")
		umount "$T/c"
		case $out in *" lost 0 "*) ;; *) lost=1 ;; esac
		case $out in *" torn 0") ;; *) torn=1 ;; esac
	done
}

while read -r order want what; do
	power "$order" rand
	is "lost $lost" "lost $want" "$what ($records records)"
done <<'END'
n 1 no fsync at all
f 1 fsync, then rename: the newest name is lost
u 1 O_TMPFILE, fsync, then link: the same
d 0 fsync, rename, fsync of the directory
x 0 O_TMPFILE, link, fsync: ext4 keeps the name with its inode
END
done_testing
