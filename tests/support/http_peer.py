"""A web server of somebody else, on the loopback: what is posted to it is noted, and answered as the test wants."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

Answer: TypeAlias = tuple[int, Any]
"""Status, and what the body is as JSON; None for an empty one."""


@contextmanager
def http_peer(answer: Callable[[str, dict[str, str], Any], Answer]) -> Iterator[str]:
    """Meanwhile a server runs at the address that is given. `answer` takes path, headers and the JSON of each POST."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, said = answer(self.path, dict(self.headers), body)
            content = b"" if said is None else json.dumps(said).encode()
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
