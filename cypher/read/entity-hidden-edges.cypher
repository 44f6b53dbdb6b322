// What is remembered of edges of one node that are not visible.
// params: $name node key, $limit
// columns: id, clock, values
MATCH (h:_Edge {from: $name})
RETURN h.id AS id, h.clock AS clock, h.values AS values
LIMIT $limit
UNION
MATCH (h:_Edge {to: $name})
RETURN h.id AS id, h.clock AS clock, h.values AS values
LIMIT $limit
