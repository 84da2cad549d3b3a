"""The machine: the only files that say os, socket, signal, subprocess or read a clock."""
