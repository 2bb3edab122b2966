"""The web tier of the guestbook example: counts visits in Redis and says which pod answered.

It runs inside the image `registry.local/coxswain/guestbook:1` on an interpreter with a small part of the standard library,
and is written to start in some 20 ms of CPU: it imports no more than `socket`, `threading`, `signal` and `json`.

One thread serves one connection (bounded); `resp` speaks to Redis, `http` reads requests and writes responses, `pages` decides
what to answer, `server` owns sockets, threads and the way out.
"""
