"""The rules of the action plane: pure and synchronous."""
