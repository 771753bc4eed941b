"""Envelopes of JSON answers, and the error answer."""

from datetime import datetime
from typing import Generic, Literal, TypeVar

from msgspec import UNSET, Struct, UnsetType

Success = Literal["success"]
T = TypeVar("T")


class Answer(Struct, Generic[T], kw_only=True):
    """A successful answer."""

    status: Success
    timestamp: datetime
    data: T


class PageAnswer(Struct, Generic[T], kw_only=True):
    """A page of a list; send `next_cursor` as `cursor` to get the next one. Null after the last."""

    status: Success
    timestamp: datetime
    data: tuple[T, ...]
    next_cursor: str | None


class ErrorDetail(Struct, kw_only=True):
    """Error of one item of a request."""

    index: int
    code: str
    reason: str
    hint: str


class ErrorBody(Struct, kw_only=True):
    """Error. `id` is the ID of the request, which the log has too."""

    code: int
    type: str
    message: str
    hint: str | None
    timestamp: datetime
    id: str
    details: tuple[ErrorDetail, ...] | UnsetType = UNSET


class ErrorAnswer(Struct, kw_only=True):
    """An error answer."""

    status: Literal["error"]
    error: ErrorBody
