// Nodes of one label that come to be: the lock has made them, or somebody else had. Every property is set, so that nothing else is left on them.
// params: $rows [[element, property …, clock]]
// columns: n (as many as rows, or something vanished)
UNWIND $rows AS r
MATCH (x:{{LABEL}}) WHERE elementId(x) = r[0]
SET {{SET}}
RETURN count(*) AS n
