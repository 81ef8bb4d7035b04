"""The minute job: series from the roll-ups, scores, episodes, events. Detection only; it never blocks anything."""
