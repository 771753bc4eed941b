"""Response types of the health checks."""

from datetime import datetime
from typing import Literal

from msgspec import Struct


class HealthCheck(Struct, kw_only=True):
    """Status of a component, the duration of its check, and its error."""

    status: Literal["ok", "degraded", "down"]
    latency_ms: float
    detail: str | None = None


class HealthAnswer(Struct, kw_only=True):
    """Status of the service. A failed shared cache makes it slower, not unhealthy."""

    status: Literal["healthy", "degraded", "unhealthy"]
    timestamp: datetime
    version: str
    checks: dict[str, HealthCheck]


class AliveAnswer(Struct, kw_only=True):
    """The process answers."""

    status: Literal["ok"]
    timestamp: datetime
