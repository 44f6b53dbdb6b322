// Remembers keys that have no live node.
// params: $rows [[node key, clock, values]]
UNWIND $rows AS r
MERGE (h:_Node {key: r[0]})
SET h.clock = r[1], h.values = r[2]
