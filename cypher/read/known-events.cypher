// Which of these events the ledger knows.
// params: $keys [event key]
// columns: key, hash
UNWIND $keys AS key
MATCH (e:_Event {key: key})
RETURN e.key AS key, e.hash AS hash
