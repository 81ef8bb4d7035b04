"""Credentials: the detectors' catalogue, and the finder that runs it."""

from services.guardrail.domain.secrets.detector import Detector
from services.guardrail.domain.secrets.finder import CATALOGUE, NAMES, TAGS, SecretsFinder, warm

__all__ = ["CATALOGUE", "NAMES", "TAGS", "Detector", "SecretsFinder", "warm"]
