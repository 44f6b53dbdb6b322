// Edges that became visible; their ends are locked or can never go.
// params: $nodes [element], $rows [[place of from, place of to, key part …, property …, clock]]
// columns: n (as many as rows, or something vanished)
UNWIND $rows AS r
MATCH (a) WHERE elementId(a) = $nodes[toInteger(r[0])]
MATCH (b) WHERE elementId(b) = $nodes[toInteger(r[1])]
CREATE (a)-[e:{{TYPE}} {{{SET}}}]->(b)
RETURN count(*) AS n
