// Finds or makes nodes of a label that is never removed and that the batch only refers to: no lock on what exists, so that writers share hubs.
// params: $keys [[index, key part …]] sorted by key
// columns: i, element, clock (empty: made by this; null: somebody else's)
UNWIND $keys AS k
MERGE (n:{{LABEL}} {{{KEY}}})
  ON CREATE SET n._clock = ''
RETURN k[0] AS i, elementId(n) AS element, n._clock AS clock
