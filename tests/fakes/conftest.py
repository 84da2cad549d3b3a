from tests.fakes.fixtures import authority, az, clients, cloud, http, proxy

__all__ = ["authority", "az", "clients", "cloud", "http", "proxy"]
