// One slim row an event: its identity, and where its segment keeps the rest.
// params: $segments [[segment id, [[key, first half of the body hash, position]]]]
UNWIND $segments AS s
UNWIND s[1] AS r
CREATE (:_Event {key: r[0], hash: r[1], segment: s[0], position: toInteger(r[2])})
