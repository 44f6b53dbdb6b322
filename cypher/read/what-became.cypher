// What became of events, and for those that failed the text that has the reason.
// params: $keys [event key]
// columns: hash, position, state (null: as the segment says), digit (what the segment says), error (code or null), meta (null: not failed)
UNWIND $keys AS key
MATCH (e:_Event {key: key})
MATCH (s:_Segment {id: e.segment})
RETURN e.hash AS hash, e.position AS position, e.state AS state, substring(s.states, e.position, 1) AS digit,
  e.error AS error, CASE WHEN e.state = 'failed' THEN s.meta END AS meta
