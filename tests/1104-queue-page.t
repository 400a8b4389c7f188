#!/bin/sh
# The entry that relaykit-queue(5) shows, typed in by hand and with sums from elsewhere, is one.
. "$(dirname "$0")/lib.sh"
need python3
page=$TOP/man/relaykit-queue.5
python3 - "$page" "$T/q" <<'PY'
import os, re, sys
ex = re.search(r"\.Bd -literal\n\$ ls (\S+)\n(\S+)\n\$ cat \S+\n(.*?)\n\.Ed", open(sys.argv[1]).read(), re.S)
bucket, name, text = ex.groups()
head, *lines = text.split("\n")
at = next(i for i, l in enumerate(lines) if l.startswith("Subject"))
end = next(i for i, l in enumerate(lines) if l.startswith("{"))
header = "".join(l + "\n" for l in lines[:at]).encode()
content = "".join(l + "\r\n" for l in lines[at:end]).encode()
journal = "".join(lines[end:]).replace('{"do"', '\n{"do"')[1:].encode() + b"\n"
def crc32c(b): # RFC 3720 B.4, bit by bit
    c = 0xffffffff
    for x in b:
        c ^= x
        for _ in range(8):
            c = (c >> 1) ^ (0x82f63b78 if c & 1 else 0)
    return c ^ 0xffffffff
assert crc32c(b"123456789") == 0xe3069283
assert head == "relaykit 1 %010d %016d %08x %08x ---" % (len(header), len(content), crc32c(header), crc32c(content))
for line in journal.splitlines(True):
    cut = line.rindex(b',"crc"')
    assert line[cut:] == b',"crc":"%08x"}\n' % crc32c(line[:cut])
assert name.split(",")[2] == str(len(content))
d = os.path.join(sys.argv[2], bucket)
os.makedirs(d)
open(os.path.join(d, name), "wb").write((head + "\n").encode() + header + content + journal)
PY
result $? "the page's numbers are right" || { done_testing; }
RELAYKIT_QUEUE=$T/q
export RELAYKIT_QUEUE
chmod 700 "$T/q"
ok 'smtp-queue finds it complete' smtp-queue check
is "$(cat "$T/.out")" '' 'and has nothing to say'
is "$(smtp-queue list)" "361pmb1qmmxabgyh	cur	2026-11-22T10:00:12Z	2026-11-22T10:05:12Z	54	mail	1	alice@example.org	bob@example.net	451 4.7.1 greylisted" \
    'it says what the page says'
done_testing
