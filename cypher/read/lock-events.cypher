// Ledger rows that are about to change their state, locked.
// params: $keys [ledger key]
// columns: key, state (null: as the segment says)
UNWIND $keys AS key
MATCH (e:_Event {key: key})
SET e += {}
RETURN e.key AS key, e.state AS state
