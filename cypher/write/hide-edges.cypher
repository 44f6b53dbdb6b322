// Remembers edges that are not visible: an unlink alone, or an edge that waits for an end (`waiting`, and `events`: who said it).
// params: $rows [[edge key, {id, from, to, clock, values, waiting, events}]]
UNWIND $rows AS r
MERGE (h:_Edge {key: r[0]})
SET h += r[1]
