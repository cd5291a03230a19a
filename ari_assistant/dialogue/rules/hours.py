"""Opening hours: is it open now, on Sunday, at six?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from ari_assistant.dialogue.rules.config import DAYS, Hours, spans_of, weekdays_of

__all__ = ["OpeningHours"]


class OpeningHours:
    """Answers in sentences."""

    def __init__(self, config: Hours) -> None:
        self._zone = ZoneInfo(config.timezone)
        self._closed = {date.fromisoformat(day) for day in config.closed}
        self._week: list[list[tuple[int, int]]] = [[] for _ in DAYS]
        for days, spans in config.week.items():
            for day in weekdays_of(days):
                self._week[day] = self._week[day] + spans_of(spans)

    def today(self, now: datetime) -> date:
        """The day at the place. `now` with any time zone."""
        return now.astimezone(self._zone).date()

    @staticmethod
    def names_a_day(said: str) -> bool:
        """It is about a day, as `and on Friday?`."""
        return re.search(rf"\b(?:(?:{'|'.join(DAYS)})s?|today|tomorrow|weekends?)\b", said.lower()) is not None

    def answer(self, said: str, now: datetime) -> str:
        """To a question about the opening hours."""
        text = said.lower()
        local = now.astimezone(self._zone)
        today = local.date()
        if re.search(r"\b(?:now|right now|still open|open today|today|tonight|at the moment)\b", text):
            return self._today(local)
        if re.search(r"\btomorrow\b", text):
            return self._day("Tomorrow", today + timedelta(days=1))
        for n, name in enumerate(DAYS):
            if re.search(rf"\b{name}s?\b", text):
                ahead = (n - today.weekday()) % 7
                return self._day(f"On {name.title()}", today + timedelta(days=ahead))
        if re.search(r"\b(?:weekend|weekends)\b", text):
            return f"{self._usual('On Saturdays', 5)} {self._usual('On Sundays', 6)}"
        return self._whole_week()

    def _of(self, day: date) -> Sequence[tuple[int, int]]:
        return () if day in self._closed else self._week[day.weekday()]

    def _today(self, local: datetime) -> str:
        minute = local.hour * 60 + local.minute
        spans = self._of(local.date())
        for start, end in spans:
            if start <= minute < end:
                return f"Yes, we are open until {_clock(end)}."
            if minute < start:
                return f"We are closed at the moment. We open at {_clock(start)} today."
        nearest = next((n for n in range(1, 8) if self._of(local.date() + timedelta(days=n))), None)
        if nearest is None:
            return "We are closed at the moment."
        day = local.date() + timedelta(days=nearest)
        when = "tomorrow" if nearest == 1 else f"on {DAYS[day.weekday()].title()}"
        return f"We are closed now. We open {when} at {_clock(self._of(day)[0][0])}."

    def _day(self, when: str, day: date) -> str:
        spans = self._of(day)
        return f"{when} we are open {_spans(spans)}." if spans else f"{when} we are closed."

    def _usual(self, when: str, weekday: int) -> str:
        spans = self._week[weekday]
        return f"{when} we are open {_spans(spans)}." if spans else f"{when} we are closed."

    def _whole_week(self) -> str:
        """Days with the same hours are said together."""
        groups: list[tuple[int, int]] = []
        for day in range(7):
            if groups and self._week[day] == self._week[groups[-1][0]]:
                groups[-1] = (groups[-1][0], day)
            else:
                groups.append((day, day))
        said = []
        for first, last in groups:
            spans = self._week[first]
            if not spans:
                continue
            days = f"on {DAYS[first].title()}"
            if last > first:
                days = f"from {DAYS[first].title()} to {DAYS[last].title()}"
            said.append(f"{days}, {_spans(spans)}")
        if not said:
            return "We are closed all week."
        return f"We are open {', and '.join(said)}."


def _clock(minute: int) -> str:
    hour, rest = divmod(minute, 60)
    if rest == 0 and hour == 12:
        return "noon"
    if rest == 0 and hour in (0, 24):
        return "midnight"
    return f"{hour % 12 or 12}{f':{rest:02d}' if rest else ''} {'AM' if hour < 12 else 'PM'}"


def _spans(spans: Sequence[tuple[int, int]]) -> str:
    return " and ".join(f"from {_clock(start)} to {_clock(end)}" for start, end in spans)
