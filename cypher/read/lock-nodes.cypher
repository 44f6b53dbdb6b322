// Locks every node of one label that the batch may change, creating the missing ones for the time being, and says what is known of them.
// MERGE alone locks nothing that exists; SET with an empty map does.
// params: $keys [[key part …]] sorted
// columns: i (a float, since an integer would come as a bigint), element, stored (null of a node that this made; else [clock or null of
// somebody else's, whether its key is there still, property …])
UNWIND range(0, size($keys) - 1) AS i
WITH i, $keys[i] AS k
MERGE (n:{{LABEL}} {{{KEY}}})
  ON CREATE SET n._clock = ''
SET n += {}
RETURN toFloat(i) AS i, elementId(n) AS element, CASE n._clock WHEN '' THEN null ELSE [n._clock, {{THERE}}{{COLUMNS}}] END AS stored
