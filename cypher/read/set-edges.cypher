// The visible members of each owner's set, locked: their other ends are not.
// params: $rows [[index, owner element]]
// columns: i, element, properties, other (key of the other end), stands (whether that is still there)
UNWIND $rows AS r
MATCH (o) WHERE elementId(o) = r[1]
MATCH (o)-[e:{{TYPE}}]->(m)
WHERE e._clock IS NOT NULL
SET e += {}
RETURN r[0] AS i, elementId(e) AS element, properties(e) AS properties, [{{OTHER}}] AS other, size(labels(m)) > 0 AS stands
