"""All pages that people look at; signing in, the API and health are elsewhere."""

from pathlib import Path

from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from proctor.console import (
    backtest,
    budgetlist,
    card,
    databases,
    download,
    erasepage,
    grantlist,
    inbox,
    killlist,
    live,
    nudges,
    replayed,
    rulelist,
    search,
    timeline,
    toollist,
)
from proctor.console.house import House
from proctor.console.readings import Readings

STATIC = Path(__file__).parent / "static"


def routes(house: House) -> list[BaseRoute]:
    """The pages, and what they load. Everything but `/static/` needs somebody who has signed in.

    Args:
        house: What they stand on.
    """
    readings = Readings(house.record)
    return [
        *inbox.routes(house),
        *card.routes(house),
        *timeline.routes(house, readings),
        *search.routes(house, readings),
        *erasepage.routes(house),
        *download.routes(house, readings),
        *replayed.routes(house, readings),
        *rulelist.routes(house, readings),
        *backtest.routes(house),
        *grantlist.routes(house),
        *killlist.routes(house),
        *budgetlist.routes(house),
        *toollist.routes(house),
        *live.routes(house, readings),
        *databases.routes(house, readings),
        *nudges.routes(house),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
