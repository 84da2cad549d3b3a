"""Keeps a fresh credential in every slot. Knows no provider by name; its decisions are in `core.refresh`."""
