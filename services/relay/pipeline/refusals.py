"""The refusals of the pipeline, with their codes in one place. Messages never hold prompts or matched text."""

from __future__ import annotations

from services.common.errors import BadRequest, OrcaError, Unavailable

SKIP_RETRY = {"x-should-retry": "false", "X-Orca-Skip-Retry": "true"}


class PolicyRefusal(BadRequest):
    """A plane refused the request or its answer: no other channel is tried, no client should retry."""

    def __init__(
        self, message: str, *, code: str, headers: dict[str, str] | None = None, status: int | None = None
    ) -> None:
        headers = {**SKIP_RETRY, **(headers or {})}
        super().__init__(message, code=code, type="orca_api_error", headers=headers, status=status)


def policy_unavailable(*, answered: bool) -> OrcaError:
    """A plane is down or late. Once the provider has answered, a retry would only be billed again."""
    headers = {"x-should-retry": "false"} if answered else {}
    return Unavailable(
        "a policy plane is unavailable, so the request was not passed",
        code="policy_unavailable",
        retry_after_s=1,
        headers=headers,
    )


def upstream_error(message: str, *, status: int = 502, code: str = "upstream_error") -> OrcaError:
    """The provider failed."""
    return OrcaError(message, code=code, status=status, type="upstream_error")
