// Locks every node of one label that the batch may change, creating the missing ones for the time being, and says what is known of them.
// MERGE alone locks nothing that exists; SET with an empty map does.
// params: $keys [[key part …]] sorted
// columns: i (a float, since an integer would come as a bigint), element, properties (null of a node that this made; without _clock where somebody else made it)
UNWIND range(0, size($keys) - 1) AS i
WITH i, $keys[i] AS k
MERGE (n:{{LABEL}} {{{KEY}}})
  ON CREATE SET n._clock = ''
SET n += {}
RETURN toFloat(i) AS i, elementId(n) AS element, CASE n._clock WHEN '' THEN null ELSE properties(n) END AS properties
