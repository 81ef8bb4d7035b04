"""Every measurement of the text plane, one after the other: personal data, then secrets, then attacks.

python -m tests.bench.guardrail [--peers PYTHON] [--misses]
"""

from __future__ import annotations

import sys

from tests.bench import guardrail_attacks, guardrail_pii, guardrail_secrets

if __name__ == "__main__":
    guardrail_pii.main(sys.argv[1:])
    guardrail_secrets.main(sys.argv[1:])
    guardrail_attacks.main(sys.argv[1:])
