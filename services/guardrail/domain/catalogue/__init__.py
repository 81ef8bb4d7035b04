"""What the built-in entities look like, by region. Data only: shapes, validators, context words, known misses."""
