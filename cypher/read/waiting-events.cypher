// Names of the events that edges from these nodes wait with.
// params: $from [node key]
// columns: name (`key#bodyHash`)
UNWIND $from AS id
MATCH (h:_Edge {from: id})
WHERE h.waiting
UNWIND h.events AS name
RETURN DISTINCT name
