// Visible edges of one type by identity.
// params: $rows [[index, from element, to element, key part …]]
// columns: i, element, properties
UNWIND $rows AS r
MATCH (a) WHERE elementId(a) = r[1]
MATCH (b) WHERE elementId(b) = r[2]
MATCH (a)-[e:{{TYPE}}]->(b)
WHERE e._clock IS NOT NULL{{AND}}
RETURN r[0] AS i, elementId(e) AS element, properties(e) AS properties
