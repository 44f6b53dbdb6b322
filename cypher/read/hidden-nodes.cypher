// What is remembered of keys without a live node.
// params: $keys [node key]
// columns: key, clock, values
UNWIND $keys AS key
MATCH (h:_Node {key: key})
RETURN h.key AS key, h.clock AS clock, h.values AS values
