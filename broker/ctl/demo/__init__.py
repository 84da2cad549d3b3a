"""`brokerctl demo`: the whole thing on one machine in half a minute, with nothing faked but the cloud.

`index` is a package index whose tokens live 20 seconds, `token_command` what stands for `az`, `measure` runs
the real uv and times look-ups, `show` prints it. Start with `verb`.
"""
