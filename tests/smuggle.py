# smuggle.py PORT QUEUE data|bdat MOST - a message for each sequence of at most MOST of CR, LF and NUL before and
# behind a dot, for the tests of smuggling.  Prints what was wrong, then how many were taken and refused.
import itertools, os, socket, sys
port, q, how, most = int(sys.argv[1]), sys.argv[2] + "/new", sys.argv[3], int(sys.argv[4])
around = [b"".join(v) for n in range(most + 1) for v in itertools.product((b"\r", b"\n", b"\0"), repeat=n)]
inner = (b"MAIL FROM:<evil@x.example>\r\nRCPT TO:<evil@y.example>\r\nDATA\r\nFrom: evil@x.example\r\n\r\nevil\r\n")
wrong, taken, refused, closed = [], 0, 0, 0

def reply(f):
    while True:
        line = f.readline()
        if line[3:4] != b"-":
            return line

c = None
for before in around:
    for after in around:
        text = b"From: a@x.example\r\n\r\nbody" + before + b"." + after + inner + b"\r\n.\r\n"
        real = (before.endswith(b"\r\n") and after.startswith(b"\r\n"))
        if real:
            continue        # that is an end
        if c is None:
            c = socket.create_connection(("127.0.0.1", port), timeout=20)
            f = c.makefile("rwb")
            reply(f)
            f.write(b"EHLO me\r\n")
            f.flush()
            reply(f)
        if how == "data":
            f.write(b"MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\n")
        else:
            text = text[:-5] + b"\r\n"
            f.write(b"MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nBDAT %d LAST\r\n" % len(text))
        f.flush()
        reply(f), reply(f)
        if how == "data":
            reply(f)
        n = len(os.listdir(q)) if os.path.isdir(q) else 0
        f.write(text + b"NOOP\r\n")
        f.flush()
        end, noop = reply(f), reply(f)
        now = len(os.listdir(q)) if os.path.isdir(q) else 0
        if not noop.startswith(b"250 2.0.0 Ok\r"):
            wrong.append((before, after, end, noop))
            c = None
        if end.startswith(b"250"):
            taken += 1
            if now != n + 1:
                wrong.append((before, after, now - n))
        else:
            refused += 1
            if now != n:
                wrong.append((before, after, now - n))
        if taken and taken % 400 == 0 or refused and refused % 15 == 0:
            c = None        # too many errors, or messages, for one connection
print(len(wrong), wrong[:3])
print(taken, refused)
