#!/bin/sh
# smtp-submit: lines over 998 bytes are encoded so that nothing of the content changes: python3's
# email package decodes what went in and what came out, and they are the same.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/submit.sh"
need python3

# same FILE: as submitted (in $T/in) and as queued, decoded
cat >"$T/same.py" <<'EOP'
import email, email.policy, sys

def leaves(path, crlf):
    raw = open(path, "rb").read()
    if not crlf:
        raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    m = email.message_from_bytes(raw, policy=email.policy.SMTP)
    out = []
    for p in m.walk():
        if p.is_multipart():
            out.append((p.get_content_type(), p.preamble, p.epilogue))
        else:
            out.append((p.get_content_type(), p.get_filename(), p.get_payload(decode=True)))
    return raw, out

raw, was = leaves(sys.argv[1], False)
raw, now = leaves(sys.argv[2], True)
if was != now:
    for a, b in zip(was, now):
        if a != b:
            print("was", repr(a)[:300])
            print("now", repr(b)[:300])
    sys.exit("decoded content differs")
long = max(len(l) for l in raw.split(b"\r\n"))
if long > 998:
    sys.exit("a line of %d bytes" % long)
EOP
# encoded WHAT FILE
encoded() {
	fresh
	ok "$1" smtp-submit -i b@x <"$2"
	message >"$T/queued"
	ok "$1: decodes to the same" python3 "$T/same.py" "$2" "$T/queued"
}
long=$(head -c 3000 /dev/zero | tr '\0' 'y')

printf 'Subject: x\n\n%s\nshort \nt\t\n=C3 equals\nc\303\251\n' "$long" >"$T/in"
encoded 'a plain message' "$T/in"
is "$(flags)" '---' 'is 7-bit then'
like "$(header)" '^Content-Transfer-Encoding: quoted-printable$' 'and says so'
like "$(header)" '^MIME-Version: 1\.0$' 'as MIME'
like "$(header)" "id $(entry | sed 's/.*\.\(................\),.*/\1/')" 'its Received field has its id'
is "$(entry | sed 's/.*,mail,\([0-9]*\),.*/\1/')" "$(message | wc -c)" 'and its name its size'
printf 'Subject: c\303\251\n\n%s\n' "$long" >"$T/in"
encoded 'a UTF-8 header' "$T/in"
is "$(flags)" '8u-' 'is still known'

python3 - "$T" <<'EOP'
import sys, random
from email.message import EmailMessage
import email.policy
d = sys.argv[1]
random.seed(7)
m = EmailMessage(policy=email.policy.SMTP.clone(max_line_length=100000, cte_type="8bit"))
m["Subject"] = "parts"
m.set_content("short text\n")
m.add_alternative("<p>" + "wörter = " * 400 + "</p>\n", subtype="html", cte="8bit")
m.add_attachment(bytes(random.randrange(256) for _ in range(5000)), maintype="application",
    subtype="octet-stream", filename="a.bin")
m.add_attachment("one line " * 500, subtype="csv", filename="b.csv", cte="7bit")
inner = EmailMessage(policy=m.policy)
inner["Subject"] = "inner"
inner.set_content("x" * 5000 + "\n", cte="7bit")
m.add_attachment(inner)
open(d + "/parts", "wb").write(m.as_bytes().replace(b"\r\n", b"\n"))
# base64 and quoted-printable in one line each
import base64
open(d + "/b64", "wb").write(b"MIME-Version: 1.0\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\n" +
    base64.b64encode(bytes(range(256)) * 40) + b"\n")
open(d + "/qp", "wb").write(b"MIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n" +
    b"=C3=A9 and text " * 400 + b"=\nend\n")
# every byte that a line may hold, at all columns
rows = b"".join(bytes(random.choice([9, 32, 61, 46, 70, 114, 195, 169, 127, 1, 255, 97]) for _ in range(random.randrange(200))) + b"\n"
    for _ in range(300))
open(d + "/bytes", "wb").write(b"Subject: x\nMIME-Version: 1.0\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\n" +
    rows + b"z" * 999 + b"\n" + rows)
EOP
for f in parts b64 qp bytes; do
	encoded "$f" "$T/$f"
done
fresh
smtp-submit -i b@x <"$T/parts"
is "$(body | grep -c '^short text$')" 1 'what is short is not touched'

# --- limits and refusals
nines() {
	printf 'Subject: x\n\n%s\n' "$(head -c "$1" /dev/zero | tr '\0' 'x')"
}
fresh
nines 998 | smtp-submit b@x
is "$(header | grep -c MIME)" 0 '998 bytes stay'
is "$(flags)" '---' 'and are not long'
fresh
nines 999 | smtp-submit b@x
is "$(header | grep -c MIME)" 1 '999 do not'
printf 'Content-Type: multipart/signed; boundary=b\n\n--b\n\n%s\n--b--\n' "$long" >"$T/signed"
refused 'a signed part' 65 'smtp-submit: line over 998 bytes in a signed or encrypted part' \
    sh -c "smtp-submit b@x <'$T/signed'"
printf 'Subject: %s\n\nx\n' "$long" >"$T/subject"
refused 'a header line without a blank' 65 'smtp-submit: header line over 998 bytes: Subject' \
    sh -c "smtp-submit b@x <'$T/subject'"
printf 'MAIL FROM:<a@x>\nRCPT TO:<b@x>\nDATA\nContent-Type: multipart/signed; boundary=b\n\n--b\n\n%s\n--b--\n.\n' "$long" |
    smtp-submit -bS >"$T/out" 2>/dev/null
is "$(cat "$T/out")" '554 5.6.0 line over 998 bytes in a signed or encrypted part' 'in a batch'
configure 'long_lines = refuse'
nines 999 >"$T/in"
refused 'refused by configuration' 65 'smtp-submit: line over 998 bytes' sh -c "smtp-submit b@x <'$T/in'"
nines 998 >"$T/in"
fresh
ok '998 bytes are not' smtp-submit b@x <"$T/in"
configure 'max_message_bytes = 5000'
{ printf 'Subject: x\n\n'; head -c 3000 /dev/zero | tr '\0' '='; echo; } >"$T/in"
refused 'too large when encoded' 65 'smtp-submit: message over 5000 bytes' sh -c "smtp-submit b@x <'$T/in'"
configure

# --- a large one, and several entries
fresh
{ printf 'Subject: x\n\n'; head -c 20000000 /dev/zero | tr '\0' 'x'; echo; } >"$T/in"
ok '20 MB in one line' sh -c "seq -f 'r%g@x' 1 1500 | xargs sh -c 'smtp-submit \"\$@\" <\"$T/in\"' sh"
is "$(entries)" 2 'in two entries'
for f in "$RELAYKIT_QUEUE"/new/*; do
	message "$f" >"$T/queued"
	ok 'decodes to the same' python3 "$T/same.py" "$T/in" "$T/queued"
done
done_testing
