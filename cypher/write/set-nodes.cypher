// Sets what changed; null takes a property away.
// params: $rows [[element, {property: value}]]
// columns: n (as many as rows, or something vanished)
UNWIND $rows AS r
MATCH (x) WHERE elementId(x) = r[0]
SET x += r[1]
RETURN count(*) AS n
