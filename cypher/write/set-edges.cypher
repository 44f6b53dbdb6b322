// Sets what changed; null takes a property away.
// params: $rows [[element, {property: value}]]
// columns: n (as many as rows, or something vanished)
UNWIND $rows AS r
MATCH ()-[e]->() WHERE elementId(e) = r[0]
SET e += r[1]
RETURN count(*) AS n
