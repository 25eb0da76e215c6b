"""The tokens that are no text: what fills up, what is unknown, and where a target starts and ends."""

PADDING, UNKNOWN, START, END = range(4)  # tokens; the last two only where one sequence is turned into another
