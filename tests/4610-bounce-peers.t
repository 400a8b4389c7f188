#!/bin/sh
# bounce-parse beside Sisimai and flufl.bounce: on what they were made for, the same recipients.
. "$(dirname "$0")/lib.sh"
need python3 awk

# skip WHAT WHY
skip() {
	tap_n=$((tap_n + 1))
	echo "ok $tap_n - $1 # SKIP $2"
}

# --- the messages that flufl.bounce is tested with
python=$(for p in /usr/bin/python3 python3; do "$p" -c 'import flufl.bounce' 2>/dev/null && echo "$p" && break; done)
dir=
[ -z "$python" ] ||
    dir=$("$python" -c 'import flufl.bounce, os; print(os.path.dirname(flufl.bounce.__file__))')/tests/data
if [ -d "$dir" ]; then
	cat >"$T/compare.py" <<'E'
import email, glob, json, os, subprocess, sys
from flufl.bounce import all_failures
same = n = 0
for p in sorted(glob.glob(os.path.join(sys.argv[1], '*.txt'))):
    with open(p, 'rb') as f:
        temporary, permanent = all_failures(email.message_from_binary_file(f))
    want = {a.decode('utf8', 'replace').lower() for a in set(temporary) | set(permanent)}
    out = subprocess.run(['bounce-parse', p], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    got = {json.loads(line)['recipient'].lower() for line in out.splitlines()}
    n += 1
    same += got == want
    if got != want:
        print('#', os.path.basename(p), 'flufl:', sorted(want), 'we:', sorted(got))
print(same * 100 // n if n else 0)
E
	"$python" "$T/compare.py" "$dir" >"$T/flufl"
	sed '$d' "$T/flufl"
	ok "flufl.bounce's own messages: the same recipients in $(tail -n 1 "$T/flufl") %, at least 85" \
	    test "$(tail -n 1 "$T/flufl")" -ge 85
else
	skip flufl.bounce 'python3-flufl.bounce is not here'
fi

# --- Sisimai on our fixtures
if perl -MSisimai -e 1 2>/dev/null; then
	cat >"$T/sisimai.pl" <<'E'
use Sisimai;
my $read = Sisimai->can('rise') // Sisimai->can('make'); # 5 and 4
for my $f (@ARGV) {
	for my $e (@{ $read->('Sisimai', $f, delivered => 1) || [] }) {
		printf "%s %s %s\n", $f, lc $e->recipient->address, $e->reason;
	}
}
E
	mkdir "$T/m"
	awk -v t="$T/m/" '/^From MAILER-DAEMON /{ n++; f = t sprintf("%02d", n) } !/^X-Expect: /{ print >f }' \
	    "$TOP/tests/data/bounces/dialects.mbox"
	cd "$T/m" || exit 1
	perl "$T/sisimai.pl" ?? 2>/dev/null | sort >"$T/theirs"
	bounce-parse --tsv ?? 2>/dev/null | awk -F '\t' '{ print $1, tolower($2), $6 }' | sort >"$T/ours"
	# Sisimai 5.3 reads what James wrote without its first letter.
	cut -d ' ' -f 1-2 "$T/theirs" | grep -v ' nn@example.org$' | sort -u >"$T/a"
	cut -d ' ' -f 1-2 "$T/ours" | sort -u >"$T/b"
	is "$(comm -23 "$T/a" "$T/b")" '' 'whom Sisimai finds in our fixtures we find'
	echo "# Sisimai finds $(wc -l <"$T/a"), we find $(wc -l <"$T/b"); the same reason for $(comm -12 "$T/theirs" "$T/ours" | wc -l)"
	ok 'and it reads most of them' test "$(wc -l <"$T/a")" -ge 20
else
	skip Sisimai 'libsisimai-perl is not here'
fi
done_testing
