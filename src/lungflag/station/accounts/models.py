"""What the routes of accounts take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from lungflag.station.accounts.passwords import LONGEST, SHORTEST

Role = Literal["reader", "operator", "admin"]
Scope = Literal["studies:read", "images:write", "feedback:write", "metrics:read"]
Name = Annotated[
    str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", max_length=64, examples=["m.curie"])
]
NewPassword = Annotated[str, Field(min_length=SHORTEST, max_length=LONGEST)]


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SignIn(_Given):
    """Who signs in."""

    name: Annotated[str, Field(max_length=200, examples=["m.curie"])]
    password: Annotated[str, Field(max_length=LONGEST, examples=["correct horse battery staple"])]


class ChangedPassword(_Given):
    """One's own new password."""

    old: Annotated[str, Field(max_length=LONGEST)]
    new: NewPassword


class NewUser(_Given):
    """An account to be made."""

    name: Name
    password: NewPassword
    role: Role = "reader"


class UserChange(_Given):
    """What is to change; what is left out stays."""

    role: Role | None = None
    password: NewPassword | None = None
    disabled: bool | None = None


class UserOut(BaseModel):
    """An account."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    role: Role
    created_at: datetime
    disabled_at: datetime | None


class NewKey(_Given):
    """A key to be made."""

    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=8)]
    expires_at: AwareDatetime | None = None


class KeyOut(BaseModel):
    """A key without its secret."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    prefix: str
    scopes: list[Scope]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class MadeKey(KeyOut):
    """A new key with its text, which is told once."""

    key: str


class Product(BaseModel):
    """What judges here, and what for."""

    version: str
    package: str
    package_version: str
    operating_point: str
    intended_use: str


class Me(BaseModel):
    """Who asks, and where they are."""

    name: str
    role: Annotated[str, Field(description="reader, operator or admin; empty for a key.")]
    scopes: list[str]
    csrf: Annotated[str, Field(description="For the header X-CSRF-Token.")]
    sign_in: Annotated[bool, Field(description="Whether people have to sign in here.")]
    product: Product
