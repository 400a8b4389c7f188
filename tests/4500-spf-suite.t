#!/bin/sh
# The test suite of RFC 7208 (openspf.org, release 2014.04), where it lies: beside the checkout, it is
# no part of the tree.  Each test is one run of spf-check over the scenario's records.
. "$(dirname "$0")/lib.sh"
need python3
python3 -c 'import yaml' 2>/dev/null || skip_all 'python3-yaml is not here'
for SUITE in "${RELAYKIT_CORPUS:-$TOP/../shared/corpus}/spf/rfc7208-tests.yml" "$TOP/../../shared/corpus/spf/rfc7208-tests.yml"; do
	[ ! -r "$SUITE" ] || break
done
[ -r "$SUITE" ] || skip_all 'the suite is not in ../shared/corpus/spf'

cat >"$T/suite.py" <<'END'
import subprocess, sys, yaml

def text(value):
    """The bytes that a string of the suite stands for: \\x80 is that byte, other text is UTF-8."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8")

def quoted(strings):
    return b" ".join(b'"' + b"".join(b"\\%03d" % c for c in text(s)) + b'"' for s in strings)

def name(n):
    return b"".join(b"." if c == ord(".") else b"\\%03d" % c for c in text(n.rstrip(".")))

def zone(data):
    """Its records as spf-check reads them.  Type SPF stands for TXT, where the name has no TXT (the
    suite's own rule); TXT: NONE says that it has none."""
    lines = []
    for owner, records in data.items():
        n = name(owner)
        has_txt = any("TXT" in r for r in records if isinstance(r, dict))
        lines.append(n + b" NODATA")
        for r in records:
            if r == "TIMEOUT":
                lines[lines.index(n + b" NODATA")] = n + b" TIMEOUT"
                continue
            (kind, value), = r.items()
            if kind == "SPF" and has_txt:
                continue
            if kind in ("SPF", "TXT"):
                if value == "NONE":
                    continue
                strings = value if isinstance(value, list) else [value]
                lines.append(n + b" TXT " + (quoted(strings) or b'""'))
            elif kind == "MX":
                lines.append(n + b" MX %d " % value[0] + (name(value[1]) or b"."))
            elif kind in ("PTR", "CNAME"):
                lines.append(n + b" " + kind.encode() + b" " + name(value))
            else:
                lines.append(n + b" " + kind.encode() + b" " + text(value))
    return b"\n".join(lines) + b"\n"

count = bad = 0
for scenario in yaml.safe_load_all(open(sys.argv[1], encoding="utf-8")):
    with open(sys.argv[2], "wb") as f:
        f.write(zone(scenario["zonedata"]))
    for what, test in sorted(scenario["tests"].items()):
        args = ["spf-check", "--json", "--keys", sys.argv[2], "--ip", test["host"], "--helo", test["helo"],
                "--", test["mailfrom"]]
        run = subprocess.run(args, capture_output=True)
        try:
            got = yaml.safe_load(run.stdout.decode())
        except Exception:
            got = None
        got = got or {"result": "exit %d %s" % (run.returncode, run.stderr)}
        want = test["result"] if isinstance(test["result"], list) else [test["result"]]
        good = got["result"] in want
        said = got.get("explanation", "DEFAULT")
        if good and "explanation" in test and got["result"] == "fail":
            good = said == test["explanation"]
        count += 1
        print("%sok %d - %s: %s" % ("" if good else "not ", count, scenario["description"], what))
        if not good:
            bad += 1
            print("# want %s %s\n#  got %s" % (want, test.get("explanation", ""), got))
print("%sok %d - 203 of 203" % ("" if (count, bad) == (203, 0) else "not ", count + 1))
print("1..%d" % (count + 1))
sys.exit(bad > 0)
END
python3 "$T/suite.py" "$SUITE" "$T/keys"
