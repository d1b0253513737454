"""The parts of a day: their names, where each begins, and which one an hour belongs to."""

from __future__ import annotations

from dataclasses import dataclass, fields

from engine.files.sections import key

HOURS = 24


@dataclass(frozen=True, slots=True)
class Dayparts:
    """The local hour each daypart starts; late runs past midnight until breakfast."""

    breakfast: int = key(5, "Hour.", 0, 23)
    lunch: int = key(11, "Hour.", 0, 23)
    afternoon: int = key(14, "Hour.", 0, 23)
    dinner: int = key(17, "Hour.", 0, 23)
    late: int = key(22, "Hour.", 0, 23)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of the dayparts, in their order over a day."""
        return tuple(each.name for each in fields(cls))

    def at(self, hour: int) -> str:
        """Return the name of the daypart that the local `hour` (0 to 23) lies in."""
        begun = [(begins, name) for name, begins in self.starts().items() if begins <= hour]
        # Before the first of a day it is still the last of the day before.
        return max(begun or [(begins, name) for name, begins in self.starts().items()])[1]

    def starts(self) -> dict[str, int]:
        """Return the hour at which each begins, by name."""
        return {name: getattr(self, name) for name in self.names()}

    def part_of_hour(self) -> tuple[int, ...]:
        """Return, for each hour of a day, the number of its daypart in `names`."""
        names = self.names()
        return tuple(names.index(self.at(hour)) for hour in range(HOURS))
