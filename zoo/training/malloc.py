"""The C library's memory, for programs whose threads take and give back a few MB thousands of times a second."""

import contextlib
import ctypes

M_ARENA_MAX = -8  # of mallopt(3), in glibc; other systems have none


def one_heap() -> None:
    """Let all threads share one heap ("arena"). To be called before TensorFlow starts its threads.

    Each thread has one of its own otherwise, in parts of 64 MB, and a part that is empty goes back to the system at
    once. Where what a thread takes in each step happens to begin such a part, the system hands it out and clears it
    anew every time: a training by blocks (`zoo.trainers.word2vec`) then took 1.2 s of processor time for an epoch in
    place of .75.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
