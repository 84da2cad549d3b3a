"""AWS CodeArtifact: an authorization token for a domain, from the AWS sign-in on this machine.

Read `provider.py` first; `boto3_child.py` runs boto3 in a process of its own; `aws_errors.py` decides,
without I/O, what a failed sign-in means.
"""
