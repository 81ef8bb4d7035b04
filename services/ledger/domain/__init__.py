"""Pure rules of credit: what an account is, whether a lease is granted, how it ends."""
