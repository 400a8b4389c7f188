# malloc.sh - sweeps where the points are allocations that fail, behind sweep.sh.
sanitized && skip_all 'a sanitizer has the allocator'

preload=$BUILD/faults/mallocfail
points() {
	# shellcheck disable=SC2086
	n=$(MALLOCFAIL_COUNT=1 LD_PRELOAD=$preload $victim <"$input" 2>&1 >/dev/null |
		sed -n 's/^mallocfail: allocations //p')
	for i in $(seq "${n:-0}"); do
		printf '%s\n' "-m $i" "-m $i+"
	done
}
strike() {
	# shellcheck disable=SC2086
	MALLOCFAIL_SAY=1 MALLOCFAIL=$2 LD_PRELOAD=$preload timeout 60 $victim
}
# plain_death: a program whose own allocation fails ends in order.  Libraries that do not look at what
# they got, or abort, end it as a crash would; the loader says 127.
plain_death() {
	case $rc in
	124) echo "it hangs; " ;;
	127) grep -q '^mallocfail: in ld-\|^cannot allocate memory for thread-local data' "$T/said" || echo "the test is wrong; " ;;
	125 | 126) echo "the test is wrong; " ;;
	134 | 139) library_died || echo "it died of a signal; " ;;
	12[89] | 1[3-9]? | 2??) echo "it died of a signal; " ;;
	esac
}
library_died() {
	grep -q '^mallocfail: in \(ld-\|lib\(gnutls\|tasn1\|gmp\|hogweed\|nettle\|p11-kit\|archive\|crypto\|ldns\)\)' "$T/said"
}
# ended [CODE]: as a program without memory may: not by a code that blames a person or the message; CODE is right. (A library
# that hides what it lacked is EX_SOFTWARE, which like all unknown ones means later.)
ended() {
	case $rc in
	0 | "${1:-0}" | 70 | 75) ;;
	127 | 134 | 139) ;; # plain_death judges them
	1) grep -q 'Fatal Internal Error in libarchive' "$T/said" || echo "exit 1; " ;;
	69) grep -q 'cannot be loaded' "$T/said" || echo "exit 69; " ;;
	78) grep -q '^mallocfail: in libtasn1' "$T/said" || echo "exit 78; " ;; # which then finds no key in a key's file
	*) echo "exit $rc; " ;;
	esac
	[ "$rc" -eq 0 ] || grep -qv '^mallocfail: ' "$T/said" || echo "failed without a word; "
}
