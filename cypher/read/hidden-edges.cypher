// What is remembered of edges that are not visible, by identity.
// params: $keys [edge key]
// columns: id, clock, values
UNWIND $keys AS key
MATCH (h:_Edge {key: key})
SET h += {}
RETURN h.id AS id, h.clock AS clock, h.values AS values
