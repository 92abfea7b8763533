"""The application, put together from its rooms."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.responses import JSONResponse

from lungflag.package import ModelPackage, find_package
from lungflag.service.intake import Intake
from lungflag.service.metrics import Metrics
from lungflag.service.spool import Spool
from lungflag.station import accounts, api, problems, quality
from lungflag.station.context import Context
from lungflag.station.problems import ProblemDocument, responses
from lungflag.station.security.audit import StationAudit
from lungflag.station.security.exposure import check_exposure
from lungflag.station.security.guard import Guard
from lungflag.station.security.shield import Shield
from lungflag.station.site import site_routes

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from lungflag.service.ledger import Ledger
    from lungflag.service.settings import Settings

PREFIX = "/api/v1"

_ABOUT = """\
Flags suspected pneumonia in chest radiographs. **Not for diagnostic use.**

People sign in with `POST /api/v1/session`; machines send `Authorization: Bearer KEY`. Errors are
problem documents (RFC 9457). Times are ISO 8601 in UTC. A study is named by its Study Instance
UID, an image by its SOP Instance UID.
"""
# Whatever is asked for, the door may answer these.
_ANYWHERE = responses(400, 401, 403, 413, 422, 429, 503)
_METHODS = {"get", "put", "post", "delete", "patch"}


def make_context(settings: Settings, ledger: Ledger) -> Context:
    """Return what the routes work with.

    Raises
    ------
    LungflagError
        If the settings cannot be used, or are not safe.
    """
    check_exposure(settings)
    package = ModelPackage.read(find_package(settings.model))
    package.operating_point(settings.operating_point or None)
    spool, metrics = Spool(settings.folder, settings.keep_free_mib), Metrics()
    metrics.watch(ledger, spool)
    return Context(
        settings=settings,
        ledger=ledger,
        spool=spool,
        package=package,
        audit=StationAudit(settings, ledger),
        intake=Intake(settings, ledger, spool, package, metrics),
        metrics=metrics,
    )


def build_app(context: Context) -> FastAPI:
    """Return the application: the API under ``/api/v1``, and the pages everywhere else.

    Parameters
    ----------
    context : Context
        See `make_context`.
    """
    app = Station(context.settings)
    app.state.guard = Guard(context.settings, context.ledger.database)
    problems.install(app)
    # Whoever serves the application starts and stops what stands behind its content.
    app.state.content = content = api.Content(context)
    for routes in (accounts.routes(context), content.router, quality.routes(context)):
        app.include_router(routes, responses=_ANYWHERE)

    @app.get(f"{PREFIX}/openapi.json", include_in_schema=False)
    def description() -> JSONResponse:
        return JSONResponse(app.openapi())

    app.include_router(site_routes())
    return app


class Station(FastAPI):
    """A FastAPI application inside the shield, with a description that says all it may answer.

    Parameters
    ----------
    settings : Settings
        Of the service.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(
            title="lungflag reading station",
            version=version("lungflag"),
            description=_ABOUT,
            docs_url=None,
            redoc_url=None,
            openapi_url=None,
        )
        self._settings = settings

    def build_middleware_stack(self) -> ASGIApp:
        """Return the application with the shield outside everything, errors' answers too."""
        return Shield(super().build_middleware_stack(), self._settings)

    def openapi(self) -> dict[str, Any]:
        """Return the API's description."""
        if self.openapi_schema is None:
            self.openapi_schema = self._describe()
        return self.openapi_schema

    def _describe(self) -> dict[str, Any]:
        document = get_openapi(
            title=self.title,
            version=self.version,
            description=self.description,
            routes=self.routes,
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas["ProblemDocument"] = ProblemDocument.model_json_schema()
        # FastAPI describes an answer of its own, which ours takes the place of.
        schemas.pop("HTTPValidationError", None)
        schemas.pop("ValidationError", None)
        for path in document["paths"].values():
            for method, operation in path.items():
                if method in _METHODS:
                    _tidy(operation)
        return document


def _tidy(operation: dict[str, Any]) -> None:
    """Let an operation answer 422 as a problem document."""
    operation["responses"]["422"] = responses(422)[422]
