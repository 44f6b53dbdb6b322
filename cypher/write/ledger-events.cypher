// One slim row an event: its identity, what it is about, and where its segment keeps the rest.
// params: $segment id, $rows [[key, hash, subject, position]]
UNWIND $rows AS r
CREATE (:_Event {key: r[0], hash: r[1], subject: r[2], segment: $segment, position: toInteger(r[3])})
