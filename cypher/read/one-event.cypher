// One event with all of its segment.
// params: $key event key
// columns: position, state, error, appliedAt, meta, bodies, states
MATCH (e:_Event {key: $key})
MATCH (s:_Segment {id: e.segment})
RETURN e.position AS position, e.state AS state, e.error AS error, s.appliedAt AS appliedAt, s.meta AS meta, s.bodies AS bodies, s.states AS states
