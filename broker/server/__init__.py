"""The Unix socket: who may connect, how many at once, and HTTP with those who may."""
