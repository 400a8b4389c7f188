"""notices.py FILE... - what Python's email package finds in notices that smtp-trap has kept, a line a fact."""
import email
import email.policy
import quopri
import sys


def content(part):
    """Of a message/ type that the package takes for a message: what stands there, decoded."""
    raw = part.get_payload()[0].as_bytes()
    return quopri.decodestring(raw) if part["Content-Transfer-Encoding"] == "quoted-printable" else raw


def show(path):
    with open(path, "rb") as f:
        raw = f.read()
    # The trap's own lines stand in front; X-Trap-Id is the last of them.
    head, _, rest = raw.partition(b"\nX-Trap-Id: ")
    raw = rest.partition(b"\n")[2]
    m = email.message_from_bytes(raw, policy=email.policy.SMTPUTF8)
    defects = [type(d).__name__ for p in m.walk() for d in p.defects]
    print("for", [l.decode() for l in head.splitlines() if l.startswith(b"X-Envelope-To: ")][0][15:])
    print("from", m["From"].addresses[0].addr_spec, "to", m["To"].addresses[0].addr_spec)
    print("subject", m["Subject"])
    print("auto", m["Auto-Submitted"])
    parts = m.get_payload()
    print("report", m.get_content_type(), m.get_param("report-type"))
    print("parts", *[p.get_content_type() for p in parts])
    if parts[1].get_content_subtype() == "delivery-status":
        blocks = parts[1].get_payload()
    else:  # a type that the package does not know: RFC 6533 3
        text = content(parts[1]).decode()
        blocks = [email.message_from_string(b, policy=email.policy.SMTPUTF8)
                  for b in text.replace("\r\n", "\n").strip("\n").split("\n\n")]
    for name in ("Reporting-MTA", "Original-Envelope-Id", "X-Relaykit-Message"):
        if blocks[0][name] is not None:
            print(name.lower(), blocks[0][name])
    for b in blocks[1:]:
        defects += [type(d).__name__ for d in b.defects]
        print("rcpt", b["Final-Recipient"], "|", b["Original-Recipient"], "|", b["Action"], "|", b["Status"], "|",
              b["Remote-MTA"], "|", " ".join(str(b["Diagnostic-Code"]).split()),
              *["| until"] if b["Will-Retry-Until"] else [])
    if len(parts) > 2:
        p = parts[2]
        inner = p.get_payload()[0]
        if p.get_content_type() == "text/rfc822-headers":
            inner = email.message_from_bytes(p.get_payload(decode=True), policy=email.policy.SMTPUTF8)
        elif p.get_content_type() == "message/global-headers":
            inner = email.message_from_bytes(content(p), policy=email.policy.SMTPUTF8)
        print("original", inner["Subject"], "|", "body" if str(inner.get_payload()).strip() else "headers")
    print("defects", *defects)


for i, path in enumerate(sys.argv[1:]):
    if i:
        print("--")
    show(path)
