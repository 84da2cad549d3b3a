"""The uids that are more than one user's number."""

ROOT = 0

UNMAPPED = 65534
"""What the kernel says of every uid that has no number in our user namespace (/proc/sys/fs/overflowuid)."""
