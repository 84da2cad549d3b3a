"""The socket API: thin FastAPI routes over the keeper. No rule lives here, only its translation to HTTP."""
