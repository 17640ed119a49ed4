"""What could not start or does not work, by the name of the part: for health and for the Readers page."""

from __future__ import annotations


class Troubles:
    """The newest words of each part that has any. A part takes its own back by saying nothing."""

    def __init__(self) -> None:
        self._words: dict[str, str] = {}

    def say(self, part: str, words: str) -> None:
        """What is wrong with a part; empty where nothing is."""
        if words:
            self._words[part] = words
        else:
            self._words.pop(part, None)

    def words(self) -> list[str]:
        """All of it, each with the name of its part."""
        return [f"{part}: {words}" for part, words in sorted(self._words.items())]
