#!/bin/sh
# crashfs finds every wrong order of fsync: a toy queue writer is cut at every operation.
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/faults/sweep.sh"
need crashfs toyqueue unshare
private_mounts "$0"

# cut AT DICE: one power cut, and what is left in $lost and $torn
cut() {
	rm -f "$T"/m/*/*
	sync "$T/m/tmp" "$T/m/new"
	fs "at $1 $2"
	toyqueue put "$T/m" "$order" 2 >"$T/ack" 2>/dev/null
	[ "$1" -lt "$points" ] || fs "crash $2"
	fs recover
	out=$(toyqueue check "$T/m" <"$T/ack")
	case $out in *" lost 0 "*) ;; *) lost=1 ;; esac
	case $out in *" torn 0") ;; *) torn=1 ;; esac
}

# power ORDER: every operation of two messages, some throws of the dice at each
power() {
	order=$1 lost=0 torn=0
	rm -f "$T"/m/*/*
	sync "$T/m" "$T/m/tmp" "$T/m/new"
	before=$(fs_ops)
	toyqueue put "$T/m" "$order" 2 >/dev/null
	points=$(($(fs_ops) - before + 1))
	for at in $(seq "$points"); do
		cut "$at" ""
		for throw in 1 2 3 5; do
			cut "$at" "rand $at$throw"
		done
	done
}

# model NAME OPTION <ORDER LOST TORN lines: lost is acknowledged and gone, torn is seen and not whole
model() {
	crashfs_start "$T/m" $2
	mkdir -p "$T/m/tmp" "$T/m/new"
	while read -r order want_lost want_torn; do
		power "$order"
		is "lost $lost torn $torn" "lost $want_lost torn $want_torn" "$1: order $order"
	done <"$T/want"
	crashfs_stop
}

cat >"$T/want" <<'END'
n 1 1
f 1 0
b 1 1
d 0 0
l 0 0
q 1 0
p 0 1
u 1 0
x 0 1
t 0 1
END
model journal ""
cat >"$T/want" <<'END'
n 1 1
f 1 0
b 1 1
d 0 0
l 0 0
q 1 0
p 1 1
u 1 0
x 1 1
t 0 1
END
model strict -s

# --- its other faults

crashfs_start "$T/m" -t
mkdir "$T/m/tmp" "$T/m/new"
like "$(toyqueue put "$T/m" t 1 2>&1)" 'not supported' '-t: a file system without O_TMPFILE'
fs "quota 2000"
like "$(toyqueue put "$T/m" d 1 2>&1)" 'No space left' 'quota'
fs "quota 0"
fs "fail fsync 5 2"
like "$(toyqueue put "$T/m" d 3 2>&1)" 'message 00001.*Input/output error' 'fail: the second fsync'
fs "fail write short 1"
is "$(toyqueue put "$T/m" d 1 | wc -l)" 1 'a short write is continued'
is "$(toyqueue check "$T/m" </dev/null)" 'acked 0 present 1 lost 0 torn 0' 'and the message whole'
crashfs_stop
done_testing
