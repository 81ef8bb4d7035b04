"""Pure rules of analytics: blocks, rows, feeds, run ids, anomalies."""
