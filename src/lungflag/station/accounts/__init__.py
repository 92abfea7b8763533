"""People who sign in, and machines with keys."""

from lungflag.station.accounts.routes import routes

__all__ = ["routes"]
