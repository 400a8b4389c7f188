#!/bin/sh
# DMARC of RFC 7489 beside OpenDMARC's library: alignment and what is to be done with the message.  Where
# OpenDMARC is known to leave the RFC the table says what the RFC wants, and that it differs.
. "$(dirname "$0")/lib.sh"
need python3 openssl
cd "$T" || exit 1
umask 077
lib=$(find -L "$TOP/build/peers/opendmarc" -name 'libopendmarc.so.2' 2>/dev/null | head -n 1)
[ -n "$lib" ] || skip_all 'no opendmarc in build/peers: scripts/peers opendmarc'
psl=/usr/share/publicsuffix/public_suffix_list.dat
[ -e "$psl" ] || skip_all 'no list of public suffixes'

# NAME FROM d= SPF RECORD-OF-FROM RECORD-OF-ORGANIZATION, "-": none; what the RFC wants where they differ
cat >table <<'END'
dkim, the same domain|example.com|example.com|-|p=reject|-|
spf, the same domain|example.com|-|example.com|p=reject|-|
both|example.com|example.com|example.com|p=quarantine|-|
neither|example.com|-|-|p=reject|-|
neither, quarantine|example.com|-|-|p=quarantine|-|
neither, none|example.com|-|-|p=none|-|
dkim of a stranger|example.com|example.org|-|p=reject|-|
spf of a stranger|example.com|-|example.org|p=reject|-|
strangers both, but one name|example.com|example.org|example.org|p=reject|-|
dkim below, relaxed|example.com|mail.example.com|-|p=reject|-|
dkim below, strict|example.com|mail.example.com|-|p=reject; adkim=s|-|fail reject
dkim above, relaxed|news.example.com|example.com|-|p=reject|p=none|
dkim above, strict|news.example.com|example.com|-|p=reject; adkim=s|p=none|
dkim beside, relaxed|news.example.com|shop.example.com|-|p=reject|p=none|
dkim beside, strict|news.example.com|shop.example.com|-|p=reject; adkim=s|p=none|
dkim the same, strict|example.com|example.com|-|p=reject; adkim=s|-|
spf below, relaxed|example.com|-|bounce.example.com|p=reject|-|
spf below, strict|example.com|-|bounce.example.com|p=reject; aspf=s|-|fail reject
spf above, relaxed|news.example.com|-|example.com|p=reject|p=none|
spf above, strict|news.example.com|-|example.com|p=reject; aspf=s|p=none|
strict dkim, relaxed spf|example.com|mail.example.com|mail.example.com|p=reject; adkim=s|-|
strict spf, relaxed dkim|example.com|mail.example.com|mail.example.com|p=reject; aspf=s|-|
the organization's p|news.example.com|-|-|-|p=reject|
the organization's sp|news.example.com|-|-|-|p=reject; sp=none|
the organization's sp, quarantine|news.example.com|-|-|-|p=none; sp=quarantine|
the organization's modes|news.example.com|example.com|-|-|p=reject; adkim=s|fail reject
sp is not for the domain itself|example.com|-|-|p=reject; sp=none|-|
its own record before the organization's|news.example.com|-|-|p=none|p=reject|
deeper|a.b.news.example.com|example.com|-|-|p=reject|
deeper, its sp|a.b.news.example.com|-|-|-|p=reject; sp=quarantine|
a public suffix of two labels|example.co.uk|other.co.uk|-|p=reject|-|
its organization|www.example.co.uk|example.co.uk|-|-|p=reject|
names in capitals|example.com|example.com|-|p=REJECT; ADKIM=S|-|
white space|example.com|-|-|  p = reject ; sp = none |-|
a last semicolon|example.com|-|-|p=quarantine;|-|
tags that nobody knows|example.com|-|-|p=reject; x=y; fo=1; ri=3600; rf=afrf|-|
what is no tag is passed over|example.com|-|-|p=reject; junk|-|
two semicolons|example.com|-|-|p=reject;; adkim=s|-|
reports are asked for|example.com|-|-|p=quarantine; rua=mailto:a@example.com; ruf=mailto:a@example.com|-|
a name that ends the same|badexample.com|example.com|-|p=reject|-|
and the other way|example.com|badexample.com|-|p=reject|-|
END

# --- theirs: its organizational domains by the same list, the record that RFC 7489 6.6.3 chooses
cat >theirs.py <<'END'
import ctypes, sys
L = ctypes.CDLL(sys.argv[1])
class Lib(ctypes.Structure):
    _fields_ = [("tld_type", ctypes.c_int), ("tld_source_file", ctypes.c_char * 4096),
                ("nscount", ctypes.c_int), ("nsaddr_list", ctypes.c_char * 1024)]
lib = Lib(1, sys.argv[2].encode(), 0, b"")
assert L.opendmarc_policy_library_init(ctypes.byref(lib)) == 0
L.opendmarc_policy_connect_init.restype = ctypes.c_void_p
PASS, MAIL_FROM = 1, 1
verdicts = {15: "pass none", 16: "fail reject", 17: "fail quarantine", 18: "fail none", 14: "none none"}
for line in sys.stdin:
    name, sender, d, spf, own, org, _ = line.rstrip("\n").split("|")
    out = ctypes.create_string_buffer(256)
    L.opendmarc_get_tld(sender.encode(), out, 256)
    c = ctypes.c_void_p(L.opendmarc_policy_connect_init(b"192.0.2.1", 0))
    L.opendmarc_policy_store_from_domain(c, sender.encode())
    if d != "-":
        assert L.opendmarc_policy_store_dkim(c, d.encode(), b"e", PASS, None) == 0
    if spf != "-":
        assert L.opendmarc_policy_store_spf(c, spf.encode(), PASS, MAIL_FROM, None) == 0
    record = "v=DMARC1; " + (own if own != "-" else org)
    rc = L.opendmarc_policy_store_dmarc(c, record.encode(), sender.encode() if own != "-" else out.value,
                                        out.value if own == "-" and out.value != sender.encode() else None)
    print("%s: %s" % (name, verdicts.get(L.opendmarc_get_policy_to_enforce(c), "?") if rc == 0 else "refused %d" % rc))
    L.opendmarc_policy_connect_shutdown(c)
END
env LD_LIBRARY_PATH="$(cat "$TOP/build/peers/opendmarc/libpath")" python3 theirs.py "$lib" "$psl" <table >theirs 2>err
result $? 'OpenDMARC judges' || sed 's/^/# /' err

# --- ours, by the program: a signed message, an address that SPF lets pass
openssl genpkey -algorithm ed25519 -out e.pem
p=$(openssl pkey -in e.pem -pubout -outform DER | tail -c 32 | base64 -w0)
while IFS='|' read -r name from d spf own org _; do
	set -- --dmarc --psl --keys zone --json
	: >zone
	printf 'From: <a@%s>\n\nbody\n' "$from" >m
	if [ "$d" != - ]; then
		dkim-sign -d "$d" -s e -k e.pem <m >signed && mv signed m
		echo "e._domainkey.$d TXT \"k=ed25519; p=$p\"" >>zone
	fi
	if [ "$spf" != - ]; then
		echo "$spf TXT \"v=spf1 ip4:192.0.2.1 -all\"" >>zone
		set -- "$@" --ip 192.0.2.1 --helo helo.invalid --from "x@$spf"
	fi
	# The organizational domain: of these names the last two labels, or three.
	up=$(echo "$from" | grep -oE '[^.]+\.(co\.uk|com)$')
	[ "$own" = - ] || echo "_dmarc.$from TXT \"v=DMARC1; $own\"" >>zone
	[ "$org" = - ] || echo "_dmarc.$up TXT \"v=DMARC1; $org\"" >>zone
	printf '%s|%s\n' "$name" "$(dkim-verify "$@" <m)"
done <table >judged 2>err
python3 -c '
import json, sys
for line in sys.stdin:
    name, text = line.split("|", 1)
    d = json.loads(text)["dmarc"]
    print("%s: %s %s" % (name, d["result"], d.get("disposition", "none")))' <judged >ours 2>>err
cut -d '|' -f 7 table >rfc
is "$(cat err)" '' 'we judge'
n=0
# RFC 7489 3.1: strict is the same domain as in From.  OpenDMARC 1.4 takes one below it, and From's
# organization where the record is found there, for aligned.
while IFS='|' read -r line want; do
	n=$((n + 1))
	[ -z "$want" ] || { isnt=$line line="${line%%: *}: $want"; [ "$isnt" != "$line" ] || echo "# OpenDMARC has come to the RFC: $line"; }
	is "$(sed -n ${n}p ours)" "$line" "$line"
done <<END
$(paste -d '|' theirs rfc)
END
done_testing
