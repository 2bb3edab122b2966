"""API aggregation: APIs of other servers, served under this server's own address.

Model. An APIService that names a Service hands a group and version over to the servers behind it: every request below
`/apis/GROUP/VERSION` is carried to one of them and its answer back (`carrying`). Who asks has been found out and allowed
before; the servers are told by headers, and believe them because of a client certificate. The way leads through the kubelet
of a pod behind the Service (`servers`), so no route to pods is needed and no other address can be reached.

One object of class `Aggregation` owns what is known of APIServices. Its table of routes is made anew from the watch cache
whenever an APIService changes, and replaced as a whole; nothing awaits in between. While no APIService names a Service the
table is empty, and a request costs one look at it.

Whether an APIService is available stands in its status, where every API server reads it: `checking` writes it there. What its
servers said when they were last asked is kept for discovery (`describing`).
"""

from apiserver.aggregation.aggregation import Aggregation
from apiserver.aggregation.servers import ProxyClient

__all__ = ["Aggregation", "ProxyClient"]
