"""A web server of MTA-STS policies that can do everything wrong, for one test.

    sts.py DIR PORTFILE

For the host H of a request: DIR/H is the body, DIR/H.json, where it is there, {"status", "type",
"location", "bytes" (that many more), "drip" (seconds between two bytes)}, DIR/H.pem certificate and key for
its SNI, else DIR/default.pem.  Each request is a line of DIR/log: method, host, path, type and size of
its body, which is kept in DIR/posted.
"""
import http.server, json, os, ssl, sys, threading, time

top = sys.argv[1]
lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *a):
        pass

    def answer(self):
        host = self.headers.get("Host", "").split(":")[0]
        n = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(n)
        with lock:
            with open(top + "/log", "a") as f:
                f.write("%s %s %s %s %d\n" % (self.command, host, self.path, self.headers.get("Content-Type", "-"), n))
            if n:
                with open(top + "/posted", "wb") as f:
                    f.write(body)
        how = {}
        if os.path.exists(top + "/" + host + ".json"):
            how = json.load(open(top + "/" + host + ".json"))
        path = top + "/" + host
        good = self.command == "POST" or (os.path.exists(path) and self.path == "/.well-known/mta-sts.txt")
        text = open(path, "rb").read() if good and os.path.exists(path) else b""
        text += b"x" * how.get("bytes", 0)
        self.send_response(how.get("status", 200 if good else 404))
        if how.get("type", "text/plain"):
            self.send_header("Content-Type", how.get("type", "text/plain"))
        if "location" in how:
            self.send_header("Location", how["location"])
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if "drip" in how:
            for i in range(len(text)):
                self.wfile.write(text[i:i + 1])
                self.wfile.flush()
                time.sleep(how["drip"])
        else:
            self.wfile.write(text)

    do_GET = do_POST = answer


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def finish_request(self, request, address):
        # In the thread of the connection: a client that does not shake hands keeps nobody waiting.
        request.settimeout(60)
        try:
            tls = context.wrap_socket(request, server_side=True)
        except (OSError, ssl.SSLError):
            return
        self.RequestHandlerClass(tls, address, self)

    def handle_error(self, *a):
        pass


def load(pem):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(pem)
    return c


def by_name(sock, name, ctx):
    pem = "%s/%s.pem" % (top, name)
    if name and os.path.exists(pem):
        sock.context = load(pem)


context = load(top + "/default.pem")
context.sni_callback = by_name
where = sys.argv[3] if len(sys.argv) > 3 else "127.0.0.1:0"
server = Server((where.split(":")[0], int(where.split(":")[1])), Handler)
with open(sys.argv[2] + ".tmp", "w") as f:
    f.write(str(server.server_address[1]))
os.rename(sys.argv[2] + ".tmp", sys.argv[2])
server.serve_forever()
