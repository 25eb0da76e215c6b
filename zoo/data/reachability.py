"""Whether a host can be reached, answered in under a second: tfds by itself waits minutes for one that cannot."""

import contextlib
import socket
import threading
import urllib.error
import urllib.request

DATA_HOST = "storage.googleapis.com"  # where tfds keeps most of its archives
SECONDS_TO_ANSWER = 0.7  # before a host counts as out of reach


def reachable(host: str) -> bool:
    """Whether the host (or the proxy in front of it) answers on its port within `SECONDS_TO_ANSWER`."""
    answered = threading.Event()

    def knock() -> None:
        with contextlib.suppress(Exception):
            if "https" in urllib.request.getproxies():  # a proxy that answers may have nothing behind it
                request = urllib.request.Request(f"https://{host}/", method="HEAD")
                with contextlib.suppress(urllib.error.HTTPError):  # an answer all the same
                    urllib.request.urlopen(request, timeout=SECONDS_TO_ANSWER).close()
            else:
                socket.create_connection((host, 443), timeout=SECONDS_TO_ANSWER).close()
            answered.set()

    knocking = threading.Thread(target=knock, daemon=True)  # a name server may take longer than any time-out
    knocking.start()
    knocking.join(SECONDS_TO_ANSWER)
    return answered.is_set()
