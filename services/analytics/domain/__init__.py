"""Pure rules of analytics: blocks, rows, feeds, run ids, time lines."""
