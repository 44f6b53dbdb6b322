// All visible edges of nodes that are being removed, locked: their other ends are not.
// params: $rows [[index, element]]
// columns: i, type, outgoing, element, properties, other (map of what is a key part anywhere, of the other end), stands (whether that is still there)
UNWIND $rows AS r
MATCH (n) WHERE elementId(n) = r[1]
MATCH (n)-[e]-(m)
WHERE e._clock IS NOT NULL
SET e += {}
RETURN r[0] AS i, type(e) AS type, startNode(e) = n AS outgoing, elementId(e) AS element, properties(e) AS properties,
  m {{{KEYS}}} AS other, size(labels(m)) > 0 AS stands
