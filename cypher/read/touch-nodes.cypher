// Finds or makes nodes of a label that is never removed and that the batch only refers to: no lock on what exists, so that writers share hubs.
// params: $keys [[key part …]] sorted
// columns: i (a float, since an integer would come as a bigint), element, clock (empty: made by this; null: somebody else's)
UNWIND range(0, size($keys) - 1) AS i
WITH i, $keys[i] AS k
MERGE (n:{{LABEL}} {{{KEY}}})
  ON CREATE SET n._clock = ''
RETURN toFloat(i) AS i, elementId(n) AS element, n._clock AS clock
