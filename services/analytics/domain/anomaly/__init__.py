"""Anomaly scoring, pure: baseline, level, noise, tail, episodes, and the backtest over a user's own history.

`profile` learns what an hour of the week usually holds, `level` follows growth and slow drift, `noise` measures
how far past predictions were off, `tail` turns an observation into a z and a probability, `episodes` folds
scores into one anomaly per series and episode. Nothing here reads a clock; time zones come in as arguments.
"""
