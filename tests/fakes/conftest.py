from tests.fakes.fixtures import authority, az, clients, cloud, proxy

__all__ = ["authority", "az", "clients", "cloud", "proxy"]
