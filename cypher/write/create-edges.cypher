// Edges that became visible; their ends are locked or can never go.
// params: $rows [[from element, to element, {property: value}]]
// columns: n (as many as rows, or something vanished)
UNWIND $rows AS r
MATCH (a) WHERE elementId(a) = r[0]
MATCH (b) WHERE elementId(b) = r[1]
CREATE (a)-[e:{{TYPE}}]->(b)
SET e = r[2]
RETURN count(*) AS n
