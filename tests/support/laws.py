"""How many examples hypothesis tries of a law: all in the profile `thorough`, a fifth of them in `quick`."""

from hypothesis import HealthCheck, settings

QUICK, THOROUGH = "quick", "thorough"
_SUPPRESSED = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
_SHARE = 5
_LEAST = 10

# the same examples in every run, so that no run of CI fails by chance; `thorough` looks for new ones
settings.register_profile(
    QUICK,
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=100 // _SHARE,
    suppress_health_check=_SUPPRESSED,
)
settings.register_profile(
    THOROUGH, deadline=None, max_examples=100, print_blob=True, suppress_health_check=_SUPPRESSED
)


def examples(number: int, *suppressed: HealthCheck) -> settings:
    """Return the settings of a law that `thorough` tries on this many examples."""
    if settings.get_current_profile_name() != THOROUGH:
        number = max(min(number, _LEAST), number // _SHARE)
    return settings(max_examples=number, suppress_health_check=[*_SUPPRESSED, *suppressed])
