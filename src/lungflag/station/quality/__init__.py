"""How the detector does here: agreement, accuracy by readers' word, drift, rejections, waiting.

`routes` is what the application includes. Everything else is arithmetic on the ledger's rows, with
NumPy alone: the station does without SciPy.
"""

from __future__ import annotations

from lungflag.station.quality.routes import routes

__all__ = ["routes"]
