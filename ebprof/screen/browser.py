"""The keys that all live tables share: order, pivot, filter, freeze, scrolling, help, quit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from ebprof.screen import keyboard
from ebprof.screen.live import RESIZE, Screen

_MAX_FILTER = 64


@dataclass(slots=True)
class View:
    """What the user chose to see.

    text: the filter; typing: it is being typed. message: shown in place of the keys until the next
    one is pressed. commands: command lines in place of names of processes.
    """

    by: tuple[str, ...]
    sort: str
    reverse: bool = False
    text: str = ""
    typing: bool = False
    frozen: bool = False
    help: bool = False
    first: int = 0
    message: str = ""
    commands: bool = False


AnyView = TypeVar("AnyView", bound=View)


class Browser(ABC, Generic[AnyView]):
    """Shows a table on a screen, and does what the keys say.

    A subclass says what there is to choose from (pivots, by number; orders, as their columns stand
    from left to right), fetches what is to be shown, and draws it.
    """

    pivots: ClassVar[tuple[str, ...]]
    orders: ClassVar[tuple[str, ...]]
    is_waiting = False

    def __init__(self, screen: Screen, view: AnyView) -> None:
        self.screen = screen
        self.view = view
        self._is_ended = False
        self._has_looked = False

    @abstractmethod
    def look(self) -> None:
        """Fetch what the view asks for."""

    @abstractmethod
    def paint(self) -> None:
        """Draw what was fetched."""

    @abstractmethod
    def page(self) -> int:
        """Rows that page up and page down move by."""

    @property
    def is_over(self) -> bool:
        """Whether nobody wants more."""
        return self._is_ended

    @property
    def watched(self) -> list[tuple[int, int]]:
        """Descriptors to poll, with events."""
        return self.screen.watched

    def react(self) -> None:
        """Do what the keys say that were pressed, and show it."""
        before = self.asked_for()
        pressed = self.screen.take_keys()
        if pressed:
            self.view.message = ""
        for key in pressed:
            self._press(key)
        if pressed and not self.is_over:
            if not self.view.frozen or self.asked_for() != before:
                self._look()
            self.paint()

    def begin(self) -> None:
        """Show that we are there, before there is much to see."""
        self.show()

    def show(self) -> None:
        """Show how things are now; while frozen, what there was then."""
        if not self._has_looked or not self.view.frozen:
            self._look()
        self.paint()

    def finish(self) -> None:
        """Show the table, whatever was there: the screen leaves it in the scrollback."""
        self.view.help = self.view.typing = False
        self.paint()

    def asked_for(self) -> tuple[object, ...]:
        """What needs other rows: those of a frozen table are fetched anew for it."""
        view = self.view
        return view.by, view.sort, view.reverse, view.text, view.first, view.commands

    def actions(self) -> Mapping[str, Callable[[Any], None]]:
        """What to do, by key; called with the browser itself."""
        return ACTIONS

    def scroll(self, rows: int) -> None:
        """Move down, or up by a negative number."""
        self.view.first = max(0, self.view.first + rows)

    def go_home(self) -> None:
        """Move to the first row."""
        self.view.first = 0

    def choose_pivot(self, name: str) -> None:
        """Put rows together by something else."""
        self.view.by = (name,)
        self.view.first = 0

    def next_order(self, step: int = 1) -> None:
        """Sort by the next column."""
        place = self.orders.index(self.view.sort)
        self.view.sort = self.orders[(place + step) % len(self.orders)]

    def previous_order(self) -> None:
        """Sort by the previous column."""
        self.next_order(-1)

    def next_pivot(self) -> None:
        """The next pivot; the first one after a choice of several."""
        by = self.view.by[0]
        place = self.pivots.index(by) + 1 if by in self.pivots and len(self.view.by) == 1 else 0
        self.choose_pivot(self.pivots[place % len(self.pivots)])

    def reverse(self) -> None:
        """Turn the order round."""
        self.view.reverse = not self.view.reverse

    def freeze(self) -> None:
        """Stop, or go on."""
        self.view.frozen = not self.view.frozen

    def start_filter(self) -> None:
        """What is pressed next goes into the filter."""
        self.view.typing = True

    def clear_filter(self) -> None:
        """Show all rows."""
        self.view.text = ""

    def toggle_commands(self) -> None:
        """Command lines in place of names of processes, or the names."""
        self.view.commands = not self.view.commands

    @property
    def has_way_back(self) -> bool:
        """Whether what is shown is behind a row of a table that was left for it."""
        return False

    def go_back(self) -> None:
        """Return to the table that was left, if there is one."""

    def left(self) -> None:
        """Return to the table that was left; at the first one, sort by the previous column."""
        if self.has_way_back:
            self.go_back()
        else:
            self.previous_order()

    def escape(self) -> None:
        """Show all rows; when there was no filter, return to the table that was left."""
        if self.view.text:
            self.clear_filter()
        else:
            self.go_back()

    def show_help(self) -> None:
        """Until the next key."""
        self.view.help = True

    def quit(self) -> None:
        """End the run."""
        self._is_ended = True

    def _look(self) -> None:
        self.look()
        self._has_looked = True

    def _press(self, key: str) -> None:
        view, actions = self.view, self.actions()
        if key == keyboard.HANG_UP:
            self._is_ended = True
        elif key == keyboard.REDRAW:
            self.screen.redraw()
        elif key == RESIZE:
            return
        elif view.typing:
            self._type(key)
        elif view.help and key != "q":
            view.help = False
        elif key.isdecimal() and 1 <= int(key) <= len(self.pivots):
            self.choose_pivot(self.pivots[int(key) - 1])
        elif key in actions:
            actions[key](self)
        else:
            view.message = f"no key {key}: ? shows the keys"

    def _type(self, key: str) -> None:
        view = self.view
        if key == keyboard.ENTER:
            view.typing = False
        elif key == keyboard.ESCAPE:
            view.typing, view.text = False, ""
        elif key == keyboard.CLEAR_LINE:
            view.text = ""
        elif key == keyboard.BACKSPACE:
            view.text = view.text[:-1]
        elif len(key) == 1 and len(view.text) < _MAX_FILTER:
            view.text += key
        view.first = 0


ACTIONS: Mapping[str, Callable[[Any], None]] = {
    "s": lambda browser: browser.next_order(),
    keyboard.RIGHT: lambda browser: browser.next_order(),
    keyboard.LEFT: lambda browser: browser.left(),
    keyboard.BACKSPACE: lambda browser: browser.go_back(),
    "c": lambda browser: browser.toggle_commands(),
    "r": lambda browser: browser.reverse(),
    "b": lambda browser: browser.next_pivot(),
    "f": lambda browser: browser.freeze(),
    " ": lambda browser: browser.freeze(),
    "/": lambda browser: browser.start_filter(),
    keyboard.ESCAPE: lambda browser: browser.escape(),
    "h": lambda browser: browser.show_help(),
    "?": lambda browser: browser.show_help(),
    "q": lambda browser: browser.quit(),
    keyboard.UP: lambda browser: browser.scroll(-1),
    keyboard.DOWN: lambda browser: browser.scroll(1),
    keyboard.PAGE_UP: lambda browser: browser.scroll(-browser.page()),
    keyboard.PAGE_DOWN: lambda browser: browser.scroll(browser.page()),
    keyboard.HOME: lambda browser: browser.go_home(),
}
