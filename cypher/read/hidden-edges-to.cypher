// What is remembered of edges that are not visible, by the node they end at; locked, since the other end is not.
// params: $keys [node key]
// columns: id, clock, values
UNWIND $keys AS key
MATCH (h:_Edge {to: key})
SET h += {}
RETURN h.id AS id, h.clock AS clock, h.values AS values
