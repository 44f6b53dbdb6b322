// Segments without their bodies.
// params: $ids [segment id]
// columns: id, appliedAt, meta, states
UNWIND $ids AS id
MATCH (s:_Segment {id: id})
RETURN s.id AS id, s.appliedAt AS appliedAt, s.meta AS meta, s.states AS states
