"""Files over the line: the httpx engine, connections, hashing, resume, retry, limits, upstream failover."""
