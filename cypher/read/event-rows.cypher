// What an event's own row says; null where its segment says it.
// params: $keys [event key]
// columns: key, state, error
UNWIND $keys AS key
MATCH (e:_Event {key: key})
RETURN e.key AS key, e.state AS state, e.error AS error
