"""JPEG files by their markers alone (ITU-T T.81, annex B): whether one is whole, and how small it may be decoded.

A decoder spends nearly all of its time on pixels. That a file has its end, and no marker where none can be, is seen
without any; and a photograph that is shrunk afterwards is decoded at a half, a quarter or an eighth of its size, which
the format allows: of a block of 8 x 8 pixels the transform gives 4 x 4, 2 x 2, or the mean.
"""

import re
from dataclasses import dataclass

Size = tuple[int, int]  # height, width

REDUCTIONS = (8, 4, 2)
START, END, SCAN, APPLICATION_1, APPLICATION_2 = 0xD8, 0xD9, 0xDA, 0xE1, 0xE2  # the last two hold notes
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # how large the image is and how it is coded
TABLES = {0xC4, 0xCC, 0xDB, 0xDC, 0xDD, *range(0xE0, 0xF0), 0xFE}  # and what applications and people note
BEHIND_SCAN = re.compile(rb"\xff(?=[^\x00\xd0-\xd7\xff])")  # coded data have 0 behind each 255, or a restart
ORIENTATION = re.compile(rb"\x01\x12\x00|\x12\x01.\x00", re.DOTALL)  # of EXIF, big- and little-endian
UPRIGHT = re.compile(rb"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x01|\x12\x01\x03\x00\x01\x00\x00\x00\x01\x00")


@dataclass(frozen=True)
class Jpeg:
    """What the markers say."""

    height: int
    width: int
    channels: int
    plain: bool  # eight bits, grey or colour, one image, and upright by all that its notes say


def parsed(content: bytes, *, header: bool = False) -> Jpeg | None:
    r"""The markers of a JPEG file; None where it is none, is cut off, or has markers that do not belong.

    Args:
        content: of the file, or its beginning.
        header: look no further than to where the pixels begin.

    >>> parsed(b"\xff\xd8\xff\xd9") is None  # no image
    True
    """
    if content[:2] != bytes((0xFF, START)):
        return None
    frame, notes, scans, at = b"", list[bytes](), 0, 2
    while content[at : at + 1] == b"\xff":
        while content[at + 1 : at + 2] == b"\xff":  # padding
            at += 1
        marker = content[at + 1] if at + 1 < len(content) else None
        if marker == END or (marker == SCAN and header):
            return described(frame, notes) if frame and (scans or header) else None
        length = int.from_bytes(content[at + 2 : at + 4])
        body = content[at + 4 : at + 2 + length]
        if length < 2 or len(body) != length - 2 or marker not in {SCAN, *FRAMES, *TABLES}:
            return None
        at += 2 + length
        if marker in FRAMES:
            if frame or len(body) < 6 or 0 in (int.from_bytes(body[1:3]), int.from_bytes(body[3:5])):
                return None
            frame = body
        elif marker in (APPLICATION_1, APPLICATION_2):
            notes.append(body)
        elif marker == SCAN:
            end = BEHIND_SCAN.search(content, at)
            if not frame or end is None:
                return None
            scans, at = scans + 1, end.start()
    return None


def described(frame: bytes, notes: list[bytes]) -> Jpeg:
    """Of the bodies of markers: that of the frame, and what applications note."""
    bits, height, width, channels = frame[0], int.from_bytes(frame[1:3]), int.from_bytes(frame[3:5]), frame[5]
    turned = any(len(ORIENTATION.findall(each)) != len(UPRIGHT.findall(each)) for each in notes)
    several = any(each.startswith(b"MPF\0") for each in notes)
    plain = bits == 8 and channels in (1, 3) and not (turned or several) and b"tiff:Orientation" not in b"".join(notes)
    return Jpeg(height, width, channels, plain)


def reduction(size: Size, at_least: Size | None) -> int:
    """By how much an image may be reduced, 8, 4, 2 or 1, so that it is no smaller than a size.

    >>> [reduction((3000, 4000), (224, 224)), reduction((375, 500), (224, 224)), reduction((9, 9), None)]
    [8, 1, 1]
    """
    if at_least is None:
        return 1
    return next((by for by in REDUCTIONS if all(by * least <= side for least, side in zip(at_least, size))), 1)
