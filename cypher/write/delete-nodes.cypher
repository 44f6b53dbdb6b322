// params: $rows [element]
// columns: n (as many as rows, or something vanished)
UNWIND $rows AS r
MATCH (x) WHERE elementId(x) = r
DETACH DELETE x
RETURN count(*) AS n
