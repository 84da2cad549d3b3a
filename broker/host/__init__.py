"""The machine: files, processes, clocks, accounts, logs and HTTP. Knows neither feeds nor sockets."""
