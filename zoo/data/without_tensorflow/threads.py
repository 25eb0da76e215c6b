"""Elements that are made by threads, ahead of who takes them."""

import itertools
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

SLOW = 1e-3  # seconds of a call that is worth a thread of its own
AHEAD = 16  # elements that threads work on at once, at most
Element = Any  # an array, bytes, or tuples and dictionaries of them


def in_threads(change: Callable[[Element], Element], elements: Iterator[Element]) -> Iterator[Element]:
    """As `map`, in the same order; by threads that work ahead, where the first call shows that they are worth it."""
    for element in elements:
        begun = time.perf_counter()
        found = change(element)
        slow = time.perf_counter() - begun > SLOW
        yield found
        if slow:
            break
    else:
        return
    with ThreadPoolExecutor() as pool:
        waiting = deque(pool.submit(change, element) for element in itertools.islice(elements, AHEAD))
        try:
            while waiting:
                found = waiting.popleft().result()
                waiting.extend(pool.submit(change, element) for element in itertools.islice(elements, 1))
                yield found
        finally:
            for each in waiting:
                each.cancel()


def fetched_ahead(elements: Iterable[Element], count: int) -> Iterator[Element]:
    """The same, made by a thread that is so many ahead of who takes them."""
    ready: queue.Queue[tuple[str, Any]] = queue.Queue(count)
    left = threading.Event()

    def put(*what: Any) -> bool:
        while not left.is_set():
            try:
                ready.put(what, timeout=0.1)
                return True
            except queue.Full:
                pass
        return False

    def make() -> None:
        try:
            for element in elements:
                if not put("element", element):
                    return
            put("end", None)
        except BaseException as error:
            put("error", error)

    threading.Thread(target=make, daemon=True).start()
    try:
        while True:
            what, found = ready.get()
            if what == "end":
                return
            if what == "error":
                raise found
            yield found
    finally:
        left.set()
