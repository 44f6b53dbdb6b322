// What only failed, quarantined and conflicting events have: explicit properties, so that they are found by index.
// params: $rows [[key, {state, conflict, error, latest}]]
UNWIND $rows AS r
MATCH (e:_Event {key: r[0]})
SET e += r[1]
