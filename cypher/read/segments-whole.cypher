// Segments with their bodies.
// params: $ids [segment id]
// columns: id, meta, bodies, states
UNWIND $ids AS id
MATCH (s:_Segment {id: id})
RETURN s.id AS id, s.meta AS meta, s.bodies AS bodies, s.states AS states
