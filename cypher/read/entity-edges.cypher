// The visible edges of one node.
// params: $key [key part …], $limit
// columns: type, outgoing, properties, other (properties of the other end)
MATCH (n:{{LABEL}} {{{KEY}}})-[e]-(m)
WHERE e._clock IS NOT NULL
RETURN type(e) AS type, startNode(e) = n AS outgoing, properties(e) AS properties, properties(m) AS other
LIMIT $limit
