// params: $rows [element]
// columns: n (as many as rows, or something vanished)
UNWIND $rows AS r
MATCH ()-[e]->() WHERE elementId(e) = r
DELETE e
RETURN count(*) AS n
