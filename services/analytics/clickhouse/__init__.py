"""The columnar side of analytics: client, migrations, queries."""
