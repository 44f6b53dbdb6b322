// Locks every node of one label that the batch may change, creating the missing ones for the time being, and says what is known of them.
// MERGE alone locks nothing that exists; SET with an empty map does.
// params: $keys [[index, key part …]] sorted by key
// columns: i, element, properties (_clock is empty on a node that this made, and missing on one that somebody else made)
UNWIND $keys AS k
MERGE (n:{{LABEL}} {{{KEY}}})
  ON CREATE SET n._clock = ''
SET n += {}
RETURN k[0] AS i, elementId(n) AS element, properties(n) AS properties
