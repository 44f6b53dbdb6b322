// A state that differs from the one the segment tells stands on the row itself.
// params: $rows [[ledger key, state, error code or null, due or null]]
UNWIND $rows AS r
MATCH (e:_Event {key: r[0]})
SET e.state = r[1], e.error = r[2], e.latest = r[3]
