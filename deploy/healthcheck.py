"""Exit 0 if the server in this container answers. A database that is away is no reason to replace a container."""

import http.client
import os
import sys

try:
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("BRIDGE_PORT", "8080")), timeout=3)
    connection.request("GET", "/healthz")
    sys.exit(connection.getresponse().status != 200)
except (OSError, http.client.HTTPException):
    sys.exit(1)
