"""The tokens that are no text: padding, whatever a vocabulary does not have, the start and the end of a target."""

PADDING, UNKNOWN, START, END = range(4)  # token ids; the last two only where one sequence is turned into another
