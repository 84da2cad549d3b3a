"""The reference pages of docs/ and the manual pages, made from the code: `python -m tools.reference`."""
