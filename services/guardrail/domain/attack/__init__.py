"""Attacks on the model that will read a text: disguises undone, features scored, findings explained."""

from services.guardrail.domain.attack.scorer import THRESHOLDS, Assessment, score

__all__ = ["THRESHOLDS", "Assessment", "score"]
