// One node, and what is remembered of its key where it has none.
// params: $key [key part …], $name node key
// columns: stored (properties, or null), clock, values (of the hidden row, or null)
OPTIONAL MATCH (n:{{LABEL}} {{{KEY}}})
OPTIONAL MATCH (h:_Node {key: $name})
RETURN properties(n) AS stored, h.clock AS clock, h.values AS values
