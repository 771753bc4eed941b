"""The cache that answers are kept in, as the settings say it."""

from collections.abc import Callable

from tearsheet.errors import SettingsError
from tearsheet.settings import Settings
from tearsheet.web.server.answer_cache import AnswerCache, CacheHealth, LocalCache, redis_cache

__all__ = ["AnswerCache", "CacheHealth", "answer_cache"]


def answer_cache(settings: Settings, on_change: Callable[[str | None], None]) -> AnswerCache:
    """A cache of this process, before Redis where one is set; `on_change` is told of its failures.

    Raises SettingsError where Redis is set but its client is not installed.
    """
    memory = LocalCache(settings.cache_ttl_s)
    if settings.redis_url is None:
        return AnswerCache(memory)
    try:
        shared = redis_cache(settings.redis_url, settings.cache_ttl_s, on_change)
    except ModuleNotFoundError:
        raise SettingsError(
            "REDIS_URL is set, but the Redis client is not installed",
            "pip install 'tearsheet[redis]', or unset REDIS_URL",
        ) from None
    except ValueError as error:
        raise SettingsError(f"REDIS_URL cannot be used: {error}", "write redis://host:port/0") from None
    return AnswerCache(memory, shared)
