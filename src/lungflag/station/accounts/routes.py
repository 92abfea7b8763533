"""The routes of sessions, accounts and keys."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path, Request, Response

from lungflag.errors import ConfigurationError
from lungflag.station.accounts.doorkeeper import Doorkeeper
from lungflag.station.accounts.keys import add_key, list_keys, revoke_key
from lungflag.station.accounts.models import (
    ChangedPassword,
    KeyOut,
    MadeKey,
    Me,
    NewKey,
    NewUser,
    Product,
    SignIn,
    UserChange,
    UserOut,
)
from lungflag.station.accounts.passwords import Passwords, fault
from lungflag.station.accounts.people import (
    LONGEST,
    add_user,
    change_user,
    end_session,
    get_user,
    list_users,
)
from lungflag.station.problems import Problem, responses
from lungflag.station.security.guard import csrf_of
from lungflag.station.security.principal import Principal, address_of, guard_of, needs

if TYPE_CHECKING:
    from lungflag.station.accounts.people import User
    from lungflag.station.context import Context

INTENDED_USE = (
    "Flags suspected pneumonia in frontal chest radiographs so that a physician reads them "
    "sooner. Not for diagnostic use: a physician reads every image."
)

Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


def routes(context: Context) -> APIRouter:
    """Return the routes of sessions, accounts and keys."""
    router = APIRouter(prefix="/api/v1")
    passwords = Passwords()
    _add_sessions(router, context, Doorkeeper(context.ledger.database, context.audit, passwords))
    _add_users(router, context, passwords)
    _add_keys(router, context)
    return router


def _add_sessions(router: APIRouter, context: Context, door: Doorkeeper) -> None:
    product = _product(context)

    @router.post(
        "/session", status_code=204, tags=["session"], summary="Sign in", responses=responses(401)
    )
    def sign_in(request: Request, given: SignIn) -> Response:
        """Begin a session: its cookie is set, and the one that was sent, if any, ends."""
        guard = guard_of(request)
        guard.check_same_site(request)
        token = door.enter(given.name, given.password, guard.address(request), guard.token(request))
        response = Response(status_code=204)
        response.set_cookie(
            guard.cookie,
            token,
            max_age=int(LONGEST.total_seconds()),
            path="/",
            secure=guard.https,
            httponly=True,
            samesite="strict",
        )
        return response

    @router.delete("/session", status_code=204, tags=["session"], summary="Sign out")
    def sign_out(request: Request, principal: Annotated[Principal, needs("reader")]) -> Response:
        """End the session."""
        guard = guard_of(request)
        token = guard.token(request)
        if token is not None and principal.kind == "person":
            end_session(context.ledger.database, token)
            context.audit.signed_out(principal.name, guard.address(request))
        response = Response(status_code=204)
        response.delete_cookie(
            guard.cookie, path="/", secure=guard.https, httponly=True, samesite="strict"
        )
        return response

    @router.get("/me", tags=["session"], summary="Who asks")
    def me(request: Request, principal: Annotated[Principal, needs("anyone")]) -> Me:
        """Who asks, what they may, and what judges here."""
        guard = guard_of(request)
        token = guard.token(request)
        return Me(
            name=principal.name,
            role=principal.role,
            scopes=sorted(principal.scopes),
            csrf=csrf_of(token) if token is not None and principal.kind == "person" else "",
            sign_in=guard.sign_in,
            product=product,
        )

    @router.put(
        "/me/password", status_code=204, tags=["session"], summary="Change one's own password"
    )
    def change_password(
        request: Request,
        given: ChangedPassword,
        principal: Annotated[Principal, needs("reader")],
    ) -> Response:
        """Change one's own password: all of one's sessions end, this one too."""
        if principal.kind != "person":
            raise Problem(403, "Not allowed", "nobody is signed in")
        door.change(principal.name, given.old, given.new, address_of(request))
        return Response(status_code=204)


def _add_users(router: APIRouter, context: Context, passwords: Passwords) -> None:
    database, audit = context.ledger.database, context.audit

    @router.get("/users", tags=["accounts"], summary="List accounts")
    def users(_principal: Annotated[Principal, needs("admin")]) -> list[UserOut]:
        """All accounts, by name."""
        return [UserOut.model_validate(one) for one in list_users(database)]

    @router.post(
        "/users",
        status_code=201,
        tags=["accounts"],
        summary="Make an account",
        responses=responses(409),
    )
    def add(
        request: Request, given: NewUser, principal: Annotated[Principal, needs("admin")]
    ) -> UserOut:
        """Make an account."""
        _check_password(given.password, given.name)
        try:
            user = add_user(database, given.name, passwords.make(given.password), given.role)
        except ConfigurationError as error:
            raise Problem(422, "Not valid", str(error)) from error
        if user is None:
            raise Problem(409, "Taken", "there is an account of that name")
        what = f"account made, role {given.role}"
        audit.account_changed(principal.name, address_of(request), what, user.name)
        return UserOut.model_validate(user)

    @router.patch(
        "/users/{id}",
        tags=["accounts"],
        summary="Change an account",
        responses=responses(404, 409),
    )
    def change(
        request: Request,
        id: Number,  # noqa: A002  the parameter's name in the path
        given: UserChange,
        principal: Annotated[Principal, needs("admin")],
    ) -> UserOut:
        """Change role or password, disable or enable. Sessions of the account end."""
        user = _existing(context, id)
        if given.password is not None:
            _check_password(given.password, user.name)
        wrong = change_user(
            database,
            id,
            role=given.role,
            password_hash=None if given.password is None else passwords.make(given.password),
            disabled=given.disabled,
        )
        if wrong:
            raise Problem(409, "Not possible", wrong)
        changes = given.model_dump(exclude_none=True)
        words = [
            "new password" if name == "password" else f"{name} {value}".lower()
            for name, value in changes.items()
        ]
        what = f"account changed: {', '.join(words) or 'nothing'}"
        audit.account_changed(principal.name, address_of(request), what, user.name)
        return UserOut.model_validate(_existing(context, id))


def _add_keys(router: APIRouter, context: Context) -> None:
    database, audit = context.ledger.database, context.audit

    @router.get("/keys", tags=["accounts"], summary="List keys")
    def keys(_principal: Annotated[Principal, needs("admin")]) -> list[KeyOut]:
        """All keys without their secrets, newest first."""
        return [KeyOut.model_validate(one) for one in list_keys(database)]

    @router.post("/keys", status_code=201, tags=["accounts"], summary="Make a key")
    def add(
        request: Request, given: NewKey, principal: Annotated[Principal, needs("admin")]
    ) -> MadeKey:
        """Make a key for a machine. Its text is in this answer and nowhere else."""
        key, text = add_key(
            database, given.name, given.scopes, by=principal.name, expires_at=given.expires_at
        )
        what = f"key made: {', '.join(key.scopes)}"
        audit.account_changed(principal.name, address_of(request), what, f"{key.name}.{key.prefix}")
        return MadeKey(**KeyOut.model_validate(key).model_dump(), key=text)

    @router.delete(
        "/keys/{id}",
        status_code=204,
        tags=["accounts"],
        summary="Revoke a key",
        responses=responses(404),
    )
    def revoke(
        request: Request,
        id: Number,  # noqa: A002  the parameter's name in the path
        principal: Annotated[Principal, needs("admin")],
    ) -> Response:
        """Make a key useless from now on."""
        key = revoke_key(database, id)
        if key is None:
            raise Problem(404, "Not found", "there is no such key")
        name = f"{key.name}.{key.prefix}"
        audit.account_changed(principal.name, address_of(request), "key revoked", name)
        return Response(status_code=204)


def _existing(context: Context, number: int) -> User:
    user = get_user(context.ledger.database, number)
    if user is None:
        raise Problem(404, "Not found", "there is no such account")
    return user


def _check_password(password: str, name: str) -> None:
    if wrong := fault(password, name):
        raise Problem(422, "Not valid", wrong)


def _product(context: Context) -> Product:
    package = context.package
    point = package.operating_point(context.settings.operating_point or None)
    return Product(
        version=version("lungflag"),
        package=package.name,
        package_version=package.version,
        operating_point=point.name,
        intended_use=INTENDED_USE,
    )
