"""Confines a worker. Runs in the worker's process before any strategy code is loaded. Standard library only."""
