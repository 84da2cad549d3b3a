"""brokerd: the composition root. `main.py` starts it, `runtime.py` holds the configuration in force."""
